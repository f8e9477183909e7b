"""What a gateway's failure codes mean: the dictionary, its versions, and codes it lacks."""
