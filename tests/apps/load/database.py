"""Where the database is, from the environment."""
import os


def settings():
    return {
        "host": os.environ["DATABASE_HOST"],
        "user": os.environ["DATABASE_USER"],
        "database": os.environ["DATABASE_NAME"],
        "password": os.environ["DATABASE_PASSWORD"],
    }
