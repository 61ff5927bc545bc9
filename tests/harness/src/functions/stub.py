#!/usr/bin/env python3
"""A function for the tests of the harness: it does what its event says."""

import json
import os
import pathlib
import sys
import time
import urllib.request

RUNTIME = f"{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def post(path, body):
    urllib.request.urlopen(RUNTIME + path, json.dumps(body).encode()).close()


def error(kind):
    return {"errorType": kind, "errorMessage": "on purpose", "stackTrace": []}


match os.environ.get("START"):
    case "exit":
        print("PUBLIC_URL is missing", file=sys.stderr)
        sys.exit(3)
    case "error":
        post("/init/error", error("Configuration"))
        sys.exit(1)

while True:
    with urllib.request.urlopen(RUNTIME + "/invocation/next") as invocation:
        event = json.load(invocation)
        headers = dict(invocation.headers)
    request = headers["lambda-runtime-aws-request-id"]
    answer = {"statusCode": 200}
    # By the gateway it comes in the query.
    match event.get("do") or event.get("queryStringParameters", {}).get("do"):
        case "describe":
            answer["process"] = os.getpid()
            answer["environment"] = dict(os.environ)
            answer["headers"] = headers
        case "meet":
            # Answers once as many processes as asked for are here at the same time.
            place = pathlib.Path(event["place"])
            (place / str(os.getpid())).touch()
            while len(list(place.iterdir())) < event["count"]:
                time.sleep(0.001)
            answer["process"] = os.getpid()
        case "report":
            post(f"/invocation/{request}/error", error("Refused"))
            continue
        case "exit":
            print("going", flush=True)
            sys.exit(7)
        case "hang":
            print("hanging", flush=True)
            time.sleep(60)
        case "answer and exit":
            post(f"/invocation/{request}/response", answer)
            os._exit(0)
        case None:
            answer["cookies"] = ["a=1; Path=/", "b=2; Path=/"]
            answer["body"] = json.dumps(event)
    post(f"/invocation/{request}/response", answer)
