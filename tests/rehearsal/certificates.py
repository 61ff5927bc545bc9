"""Starts the emulated AWS with a Certificate Manager that validates: `certificates.py EMULATOR`.

The emulator issues every certificate at once. AWS issues one when the record that it asks for is found in DNS; here, in
one of the account's hosted zones.
"""

import json
import runpy
import sys

from ministack.services import acm, route53


def is_in_dns(record):
    return any(
        found.get("Name", "").rstrip(".") == record["Name"].rstrip(".") and found.get("Type") == record["Type"]
        for records in list(route53._records.values())
        for found in records
    )


def validate():
    for certificate in list(acm._certificates.values()):
        records = [option["ResourceRecord"] for option in certificate["DomainValidationOptions"]]
        if certificate["Status"] == "PENDING_VALIDATION" and all(map(is_in_dns, records)):
            certificate["Status"] = "ISSUED"


def main():
    request, describe, listing = acm._request_certificate, acm._describe_certificate, acm._list_certificates

    def requested(data):
        answer = request(data)
        acm._certificates[json.loads(answer[2])["CertificateArn"]]["Status"] = "PENDING_VALIDATION"
        return answer

    acm._request_certificate = requested
    acm._describe_certificate = lambda data: (validate(), describe(data))[1]
    acm._list_certificates = lambda data: (validate(), listing(data))[1]
    emulator = sys.argv[1]
    sys.argv = [emulator]
    runpy.run_path(emulator, run_name="__main__")


if __name__ == "__main__":
    main()
