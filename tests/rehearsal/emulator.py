"""Starts ministack, and adds to it what this stack needs and it does not have.

Each addition is a difference between the emulator and AWS that docs/development/rehearsal.md lists. None of them makes
anything easier for the stack than AWS does. What is added here needs no second step after `sam deploy`, so whoever
deploys against the emulator deploys as at AWS.
"""

import asyncio
import contextvars
import inspect
import json
import os
import re
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import permissions

QEMU = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
EM_X86_64, EM_AARCH64 = 62, 183
MACHINES = {"x86_64": EM_X86_64, "arm64": EM_AARCH64}


def machine(path):
    """The processor that an ELF file is for, as ELF numbers it; 0 if it is no ELF file."""
    try:
        with open(path, "rb") as file:
            header = file.read(20)
    except OSError:
        return 0
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return 0
    return struct.unpack("<H", header[18:20])[0]


class Popen(subprocess.Popen):
    """A process; one of arm64 on another processor runs under qemu."""

    def __init__(self, args, *rest, **options):
        if isinstance(args, list) and args and os.uname().machine != "aarch64" and machine(args[0]) == EM_AARCH64:
            args = [*QEMU, *args]
        super().__init__(args, *rest, **options)


def rewrite(module, function, replacements):
    """Replaces parts of a function's text, each of which must be there."""
    original = getattr(module, function)
    source = inspect.getsource(original)
    for old, new in replacements.items():
        if old not in source:
            raise SystemExit(f"ministack's {function} has no {old!r}: another version?")
        source = source.replace(old, new)
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    # Other modules may have it by its name already.
    for other in list(sys.modules.values()):
        if getattr(other, function, None) is original:
            setattr(other, function, getattr(module, function))


# Who asked CloudFormation for what is under way.
CALLER = contextvars.ContextVar("caller", default="")


def report_denial(principal, action, region, resource):
    """The answers are read by SDKs, which may say nothing of them."""
    denial = {"action": action, "principal": principal, "region": region, "resource": resource}
    print("DENIED " + json.dumps(denial), file=sys.stderr, flush=True)


def watch_calls(evaluator):
    """Prints each call that IAM refuses, and remembers who asks CloudFormation."""
    enforce = evaluator.enforce

    def watched(access_key, action, service, region, *rest, **options):
        if service == "cloudformation":
            CALLER.set(access_key)
        denied = enforce(access_key, action, service, region, *rest, **options)
        if denied is not None:
            principal = getattr(denied, "principal_arn", "") or str(getattr(denied, "message", ""))
            report_denial(principal, action, region, options.get("resource_arn", "*"))
        return denied

    evaluator.enforce = watched


def ask_for_permission(evaluator, provisioners):
    """Makes, changes and deletes no resource that the deployer might not: at AWS CloudFormation calls in their name."""
    from ministack.core.responses import get_account_id, get_region

    def check(kind, operation, name, properties):
        if not CALLER.get() or kind not in permissions.TYPES:
            return
        account, region = get_account_id(), get_region()
        principal = evaluator.resolve_principal(CALLER.get(), account)
        if isinstance(principal, evaluator.AuthError) or principal.policies is None:
            return
        for action, resource, told in permissions.required(kind, operation, name, properties, region, account):
            context = evaluator.EvalContext(
                principal_arn=principal.arn,
                principal_type=principal.type,
                principal_account=principal.account,
                action=action,
                resource_arn=resource,
                region=region,
                service_context={
                    # Whoever deploys does so by CloudFormation, which calls in their name.
                    "aws:calledvia": ["cloudformation.amazonaws.com"],
                    **told,
                },
                principal_keys=principal.keys,
            )
            if evaluator.evaluate(context, principal.policies, *principal.limits).decision != "Allow":
                report_denial(principal.arn, action, region, resource)
                raise ValueError(f"{principal.arn} is not authorized to perform: {action} on resource: {resource}")

    def guarded(kind, handler):
        create, update, delete = (handler.get(operation) for operation in ["create", "update", "delete"])

        def created(logical_id, properties, stack):
            secret = kind == "AWS::SecretsManager::Secret" and "Name" not in properties
            if secret:
                # As CloudFormation calls it; the emulator would put the name of the stack before.
                name = provisioners._physical_name(stack, logical_id).removeprefix(f"{stack}-")
                properties = {**properties, "Name": name}
            check(kind, "create", properties["Name"] if secret else f"{stack}-{logical_id}-0", properties)
            return create(logical_id, properties, stack)

        def updated(physical_id, old, new, *rest, **options):
            check(kind, "update", physical_id, new)
            return update(physical_id, old, new, *rest, **options)

        def deleted(physical_id, properties, *rest):
            check(kind, "delete", physical_id, properties)
            return delete(physical_id, properties, *rest)

        handler.update({"create": created, "delete": deleted, **({"update": updated} if update else {})})

    for kind in permissions.TYPES:
        guarded(kind, provisioners._RESOURCE_HANDLERS[kind])


def count_as_tls(evaluator):
    """Requests come by plain HTTP; for the condition `aws:SecureTransport` they count as what they would be at AWS."""
    pin = evaluator.pin_request_origin
    evaluator.pin_request_origin = lambda address, _is_tls: pin(address, True)


def know_signing(actions):
    """What a request to KMS says of how it signs, by the names that conditions have for it."""
    context = actions.request_tag_context

    def with_signing(service, action, body, parameters):
        found = context(service, action, body, parameters)
        if service == "kms":
            asked = json.loads(body or b"{}")
            if "SigningAlgorithm" in asked:
                found = {
                    **found,
                    "kms:SigningAlgorithm": asked["SigningAlgorithm"],
                    "kms:MessageType": asked.get("MessageType", "RAW"),
                }
        return found

    actions.request_tag_context = with_signing


def resolve_own_domains(gateway, cognito, balancer, domains):
    """A custom domain of the account leads here; of no other does anything answer, as there is no internet here."""

    def led(request):
        asked = request if isinstance(request, urllib.request.Request) else urllib.request.Request(request)
        host = urlsplit(asked.full_url).hostname
        if host == "127.0.0.1":
            return asked
        if host not in domains:
            raise urllib.error.URLError(f"{host} is not known")
        _, _, path = asked.full_url.partition(host)
        here = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}{path}"
        return urllib.request.Request(here, asked.data, {**asked.headers, "Host": host}, method=asked.get_method())

    ask = gateway._urlopen_sync
    gateway._urlopen_sync = lambda request, seconds: ask(led(request), seconds)
    cognito.led = led
    rewrite(cognito, "_oidc_endpoint", {'urlopen(f"{issuer.': 'urlopen(led(f"{issuer.', 'configuration", timeout': 'configuration"), timeout'})
    rewrite(cognito, "_oauth2_idp_response", {"urlopen(req, ": "urlopen(led(req), "})
    balancer.led = lambda url: led(url).full_url
    for function in ["_oidc_post_form", "_oidc_get_userinfo"]:
        rewrite(balancer, function, {
            "urlsplit(url)": "urlsplit(led(url))",
            '"Accept": "application/json",': '"Accept": "application/json", "Host": urlsplit(url).hostname,',
        })


def keep_pools_to_their_domains(app):
    """The routes of user pools are not those of every host, but of hosts that no API has; and a login at another provider
    begins by reading its discovery, which may be served here meanwhile."""
    reading, writing = app._handle_cognito_get_request, app._handle_cognito_body_request

    def is_an_apis(headers, path):
        return app._resolve_custom_domain_request(headers.get("host", ""), path) is not None

    async def get(method, path, headers, query):
        if is_an_apis(headers, path):
            return None
        if path == "/oauth2/authorize" and method == "GET":
            authorize = app._get_module("cognito").handle_oauth2_authorize
            return await asyncio.to_thread(authorize, method, path, headers, query)
        return await reading(method, path, headers, query)

    async def post(method, path, headers, *rest):
        return None if is_an_apis(headers, path) else await writing(method, path, headers, *rest)

    app._handle_cognito_get_request, app._handle_cognito_body_request = get, post


def import_body(provisioners, gateway, stacks):
    """An API with a `Body` gets the integrations, authorizers and routes that the OpenAPI document names."""
    # Discovery of an issuer is read meanwhile, which may be served here.
    on_a_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind == "AWS::ApiGatewayV2::Api" or on_a_thread(kind)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create, update = handlers["create"], handlers["update"]

    def add_routes(api, properties):
        body = properties.get("Body") or {}
        gateway._routes[api], gateway._integrations[api] = {}, {}
        gateway._apis[api]["disableExecuteApiEndpoint"] = any(
            server.get("x-amazon-apigateway-endpoint-configuration", {}).get("disableExecuteApiEndpoint") is True
            for server in body.get("servers", [])
        )
        gateway._authorizers[api] = {}
        if "x-amazon-apigateway-cors" in body:
            gateway._apis[api]["corsConfiguration"] = body["x-amazon-apigateway-cors"]
        authorizers, warnings = {}, []
        for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
            asked = scheme["x-amazon-apigateway-authorizer"]
            issuer = asked["jwtConfiguration"]["issuer"]
            try:
                gateway._urlopen_sync(f"{issuer}/.well-known/openid-configuration", 1.5)
            except (OSError, ValueError):
                # At AWS a warning, and neither the authorizer nor its routes are made.
                warnings.append(f"Invalid issuer: {issuer}. Issuer must have a valid discovery endpoint")
                authorizers[name] = None
                continue
            made = gateway._create_authorizer(api, {
                "authorizerType": "JWT",
                "name": name,
                "identitySource": [asked["identitySource"]],
                "jwtConfiguration": asked["jwtConfiguration"],
            })
            authorizers[name] = json.loads(made[2])["authorizerId"]
        if warnings and properties.get("FailOnWarnings") in (True, "true"):
            raise ValueError("Warnings found during import: " + "; ".join(warnings))
        integrations = {}
        for path, operations in body.get("paths", {}).items():
            for method, operation in operations.items():
                asked = operation["x-amazon-apigateway-integration"]
                uri = asked["uri"]
                if uri not in integrations:
                    made = gateway._create_integration(api, {
                        "integrationType": asked["type"].upper(),
                        "integrationUri": uri,
                        "payloadFormatVersion": asked["payloadFormatVersion"],
                    })
                    integrations[uri] = json.loads(made[2])["integrationId"]
                route = {"routeKey": f"{method.upper()} {path}", "target": f"integrations/{integrations[uri]}"}
                for requirement in operation.get("security", []):
                    for name, scopes in requirement.items():
                        route.update(authorizationType="JWT", authorizerId=authorizers[name], authorizationScopes=scopes)
                if route.get("authorizerId", "") is not None:
                    gateway._create_route(api, route)

    def created(logical_id, properties, stack):
        api, attributes = create(logical_id, properties, stack)
        add_routes(api, properties)
        return api, attributes

    def updated(physical_id, old, new, stack, logical_id=None):
        api, attributes = update(physical_id, old, new, stack, logical_id)
        add_routes(api, new)
        return api, attributes

    handlers.update(create=created, update=updated)


def know_api_addresses(app):
    """An API without a domain is reached by the name that AWS gives it."""
    app._EXECUTE_API_RE = re.compile(r"^([a-f0-9]{8})\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$")


def require_routes(provisioners, gateway):
    """A stage with settings of a route that is not there is refused; also of one that was there before the update
    (https://github.com/aws/serverless-application-model/issues/1939)."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Stage"]
    create, update = handlers["create"], handlers["update"]

    def check(*all_properties):
        for properties in all_properties:
            keys = {route["routeKey"] for route in gateway._routes.get(properties["ApiId"], {}).values()}
            for key in properties.get("RouteSettings") or {}:
                if key not in keys:
                    raise ValueError(f"Unable to find Route by key {key} within the provided RouteSettings")

    def created(logical_id, properties, stack):
        check(properties)
        return create(logical_id, properties, stack)

    def updated(physical_id, old, new, *rest, **options):
        check(old, new)
        return update(physical_id, old, new, *rest, **options)

    handlers.update(create=created, update=updated)


def route_preflights(gateway):
    """As at AWS, an API without a CORS configuration leaves OPTIONS to its routes."""
    rewrite(gateway, "_handle_execute_in_scope", {'if method == "OPTIONS":': 'if method == "OPTIONS" and cors_cfg:'})


def know_partitions(engine):
    """The pseudo parameters of a region in China; ARNs that the emulator itself makes stay those of `aws`."""
    everywhere = {"AWS::Partition": ("aws", "aws-cn"), "AWS::URLSuffix": ("amazonaws.com", "amazonaws.com.cn")}
    replacements = {
        f'"{name}": "{usual}"': f'"{name}": "{china}" if get_region().startswith("cn-") else "{usual}"'
        for name, (usual, china) in everywhere.items()
    }
    for function in ["_evaluate_rules", "_resolve_refs"]:
        rewrite(engine, function, replacements)


def take_metric_math(provisioners):
    """An alarm on metric math is kept, and never evaluated."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]

    def simple(properties):
        if "Metrics" not in properties:
            return properties
        rest = {name: value for name, value in properties.items() if name != "Metrics"}
        return {**rest, "Namespace": "MetricMath", "MetricName": "unevaluated", "Period": 300}

    create, update = handlers["create"], handlers["update"]
    handlers["create"] = lambda logical_id, properties, stack: create(logical_id, simple(properties), stack)
    handlers["update"] = lambda physical_id, old, new, *rest, **options: update(
        physical_id, simple(old), simple(new), *rest, **options)


def add_resources(provisioners):
    """Types that the emulator does not know, as far as the stack sees of them."""
    handlers = provisioners._RESOURCE_HANDLERS
    record = handlers["AWS::Route53::RecordSet"]

    def each(properties):
        zone = {name: value for name, value in properties.items() if name.startswith("HostedZone")}
        return [{**zone, **one} for one in properties["RecordSets"]]

    def create_records(logical_id, properties, stack):
        for one in each(properties):
            record["create"](logical_id, one, stack)
        return f"{stack}-{logical_id}", {}

    def delete_records(_physical_id, properties):
        for one in each(properties):
            record["delete"](one["Name"], one)

    def create_address(logical_id, _properties, stack):
        return "203.0.113.10", {"AllocationId": f"eipalloc-{stack}-{logical_id}", "PublicIp": "203.0.113.10"}

    def create_gateway(logical_id, _properties, stack):
        return f"nat-{stack}-{logical_id}", {"NatGatewayId": f"nat-{stack}-{logical_id}"}

    handlers["AWS::Route53::RecordSetGroup"] = {"create": create_records, "delete": delete_records}
    handlers["AWS::EC2::EIP"] = {"create": create_address, "delete": lambda *_: None}
    handlers["AWS::EC2::NatGateway"] = {"create": create_gateway, "delete": lambda *_: None}


def require_the_processor(lambda_svc, error):
    """As at AWS, an executable for another processor than the function's does not start."""
    environment = lambda_svc._provided_worker_env

    def checked(config, code_dir, port):
        [wanted] = config.get("Architectures") or ["x86_64"]
        if machine(os.path.join(code_dir, "bootstrap")) not in (0, MACHINES[wanted]):
            raise error(f"exec format error: the bootstrap is not for {wanted}", "Runtime.InvalidEntrypoint")
        return environment(config, code_dir, port)

    lambda_svc._provided_worker_env = checked


def main():
    subprocess.Popen = Popen
    from ministack.core import iam_actions, iam_evaluator

    # Before anything else imports the functions by their names.
    watch_calls(iam_evaluator)
    count_as_tls(iam_evaluator)
    know_signing(iam_actions)
    from ministack.core import lambda_runtime
    from ministack.services import alb, apigateway, apigateway_v1, cognito, lambda_svc
    from ministack.services.cloudformation import engine, provisioners, stacks

    know_partitions(engine)
    route_preflights(apigateway)
    resolve_own_domains(apigateway, cognito, alb, apigateway_v1._domain_names)
    import_body(provisioners, apigateway, stacks)
    require_routes(provisioners, apigateway)
    take_metric_math(provisioners)
    require_the_processor(lambda_svc, lambda_runtime.ProvidedRuntimeError)
    add_resources(provisioners)
    ask_for_permission(iam_evaluator, provisioners)
    from ministack import app

    know_api_addresses(app)
    keep_pools_to_their_domains(app)
    app.main()


if __name__ == "__main__":
    main()
