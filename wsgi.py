"""What gunicorn serves."""

from opsapp import create_app
from opsapp.kernel import memory

# A connection for each thread: one more would be opened and closed at every use.
app = create_app(pool={"pool_size": 16})
memory.keep_for_good(for_pages=True)
