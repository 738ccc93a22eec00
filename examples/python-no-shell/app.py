import json
import os
import sys

print(json.dumps({"python": sys.version.split()[0], "user": os.getuid(), "shell": os.path.exists("/bin/sh")}))
