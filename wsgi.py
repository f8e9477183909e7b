"""What gunicorn serves."""

from opsapp import create_app

app = create_app()
