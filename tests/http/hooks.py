"""What a fuzzer cannot guess: models and references that exist. Most paths it makes up itself; some lead to these."""

import random

import schemathesis

IDS = ["ada", "bob", "cyd"]
ASSOCIATIONS = ["spouse", "friends", "pets", "groups"]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    # By what was made up, so that the same seed asks the same.
    dice = random.Random(repr(sorted((path_parameters or {}).items())))
    if not path_parameters or dice.random() < 0.3:
        return path_parameters
    known = {"model": "User", "id": dice.choice(IDS), "other": dice.choice(IDS), "association": dice.choice(ASSOCIATIONS)}
    return {name: known.get(name, value) for name, value in path_parameters.items()}
