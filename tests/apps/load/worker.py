"""Works without a port: a line every five seconds."""
import time

while True:
    print("still at work")
    time.sleep(5)
