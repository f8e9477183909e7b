"""What gunicorn serves."""

from opsapp import create_app

# A connection for each thread: one more would be opened and closed at every use.
app = create_app(pool={"pool_size": 16})
