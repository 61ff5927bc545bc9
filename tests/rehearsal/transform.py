"""Prints, as JSON, what CloudFormation makes of a template before anything else: the SAM transform's document."""

import json
import os
import sys

# The translator writes a region's ARNs; which region does not matter here.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402


class NoManagedPolicies:
    """The roles of the stack are its own."""

    def load(self):
        return {}


with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file)
# Where the code lies is known once it is uploaded, and decides nothing of what is looked at.
for function in template["Resources"].values():
    if function["Type"] == "AWS::Serverless::Function":
        function["Properties"]["CodeUri"] = "s3://bucket/key"
json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout)
