"""Points: what a customer may pay with besides money; one point is one won."""
