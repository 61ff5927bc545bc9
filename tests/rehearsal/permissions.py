"""What CloudFormation does with the permissions of whoever deploys.

At AWS each resource is made by calls that carry the deployer's own permissions; the emulator makes it without asking. So
what a type needs is written here, as its schema in CloudFormation's registry lists it (`handlers`, `permissions`:
https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/resource-types.html), without what only properties need that
the stack does not set: keys of one's own, tags of one's own, imports, replicas, layers, file systems.

A type: the ARN that the calls are about, and what its creation, its update and its deletion need.
"""

LOGS = "arn:aws:logs:{region}:{account}:log-group:{name}:*"
GATEWAY = "arn:aws:apigateway:{region}::{path}"
EVERYTHING = "*"

# API Gateway hands the access log to CloudWatch Logs in the name of whoever sets it up:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-vended-logs-permissions.html
ACCESS_LOG = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
]

# The account's first domain of API Gateway needs this role, and API Gateway makes it in the name of whoever deploys; here
# every domain counts as the first: https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html
GATEWAYS_SERVICE = "ops.apigateway.amazonaws.com"
GATEWAYS_ROLE = f"arn:aws:iam::{{account}}:role/aws-service-role/{GATEWAYS_SERVICE}/AWSServiceRoleForAPIGateway"


def gateway(path):
    return (
        GATEWAY.replace("{path}", path),
        ["apigateway:POST", "apigateway:PUT", "apigateway:GET"],
        ["apigateway:PATCH", "apigateway:GET", "apigateway:PUT", "apigateway:POST", "apigateway:DELETE"],
        ["apigateway:GET", "apigateway:DELETE"],
    )


def ec2(create, update, delete, describe):
    read = [f"Describe{name}" for name in describe]
    named = lambda actions: [f"ec2:{action}" for action in actions + read]  # noqa: E731
    return (EVERYTHING, named(create), named(update), named(delete))


TYPES = {
    "AWS::ApiGatewayV2::Api": gateway("/apis/{name}"),
    "AWS::ApiGatewayV2::ApiMapping": gateway("/domainnames/{name}/apimappings"),
    "AWS::ApiGatewayV2::DomainName": gateway("/domainnames/{name}"),
    "AWS::ApiGatewayV2::Stage": gateway("/apis/{name}/stages"),
    "AWS::CloudWatch::Alarm": (
        "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
        ["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms"],
        ["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms"],
        ["cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"],
    ),
    "AWS::CloudWatch::Dashboard": (
        "arn:aws:cloudwatch::{account}:dashboard/{name}",
        ["cloudwatch:PutDashboard", "cloudwatch:GetDashboard"],
        ["cloudwatch:PutDashboard", "cloudwatch:GetDashboard"],
        ["cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard"],
    ),
    "AWS::DynamoDB::Table": (
        "arn:aws:dynamodb:{region}:{account}:table/{name}",
        [
            "dynamodb:CreateTable", "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeContributorInsights",
            "dynamodb:DescribeKinesisStreamingDestination", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive",
            "dynamodb:GetResourcePolicy", "dynamodb:ListTagsOfResource", "dynamodb:TagResource",
            "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTimeToLive",
        ],
        [
            "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeContributorInsights",
            "dynamodb:DescribeKinesisStreamingDestination", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive",
            "dynamodb:GetResourcePolicy", "dynamodb:ListTagsOfResource", "dynamodb:TagResource", "dynamodb:UntagResource",
            "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive",
        ],
        ["dynamodb:DeleteTable", "dynamodb:DescribeTable"],
    ),
    "AWS::EC2::EIP": ec2(
        ["AllocateAddress", "CreateTags"], ["CreateTags"], ["ReleaseAddress", "DisassociateAddress"], ["Addresses"]),
    "AWS::EC2::InternetGateway": ec2(
        ["CreateInternetGateway", "CreateTags"], ["CreateTags"], ["DeleteInternetGateway"], ["InternetGateways"]),
    "AWS::EC2::NatGateway": ec2(["CreateNatGateway", "CreateTags"], ["CreateTags"], ["DeleteNatGateway"], ["NatGateways"]),
    "AWS::EC2::Route": ec2(
        ["CreateRoute"], ["ReplaceRoute"], ["DeleteRoute"], ["RouteTables", "NetworkInterfaces"]),
    "AWS::EC2::RouteTable": ec2(["CreateRouteTable", "CreateTags"], ["CreateTags"], ["DeleteRouteTable"], ["RouteTables"]),
    "AWS::EC2::SecurityGroup": ec2(
        ["CreateSecurityGroup", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "CreateTags"],
        ["AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "UpdateSecurityGroupRuleDescriptionsEgress"],
        ["DeleteSecurityGroup"],
        ["SecurityGroups", "Instances"],
    ),
    "AWS::EC2::Subnet": ec2(
        ["CreateSubnet", "CreateTags", "ModifySubnetAttribute"], ["ModifySubnetAttribute", "CreateTags"], ["DeleteSubnet"],
        ["Subnets", "NetworkAcls"]),
    "AWS::EC2::SubnetRouteTableAssociation": ec2(
        ["AssociateRouteTable", "ReplaceRouteTableAssociation"], [], ["DisassociateRouteTable"],
        ["Subnets", "RouteTables"]),
    "AWS::EC2::VPC": ec2(
        ["CreateVpc", "CreateTags", "ModifyVpcAttribute"], ["ModifyVpcAttribute", "CreateTags"], ["DeleteVpc"],
        ["VpcAttribute", "Vpcs", "NetworkAcls", "SecurityGroups"]),
    "AWS::EC2::VPCEndpoint": ec2(
        ["CreateVpcEndpoint", "CreateTags"], ["ModifyVpcEndpoint"], ["DeleteVpcEndpoints"],
        ["VpcEndpoints", "Subnets", "SecurityGroups", "Vpcs"]),
    "AWS::EC2::VPCGatewayAttachment": ec2(
        ["AttachInternetGateway"], ["AttachInternetGateway", "DetachInternetGateway"], ["DetachInternetGateway"],
        ["InternetGateways", "VpnGateways"]),
    # Put on a role, whose name the ARN has.
    "AWS::IAM::Policy": (
        "arn:aws:iam::{account}:role/{name}",
        ["iam:GetRolePolicy", "iam:PutRolePolicy"],
        ["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"],
        ["iam:DeleteRolePolicy", "iam:GetRolePolicy"],
    ),
    "AWS::IAM::Role": (
        "arn:aws:iam::{account}:role/{name}",
        ["iam:CreateRole", "iam:GetRole", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:TagRole"],
        [
            "iam:DeleteRolePolicy", "iam:GetRole", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
        ],
        [
            "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:GetRole",
            "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
        ],
    ),
    "AWS::KMS::Key": (
        "*",
        ["kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:DisableKey", "kms:TagResource"],
        [
            "kms:DescribeKey", "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation",
            "kms:GetKeyRotationStatus", "kms:PutKeyPolicy", "kms:TagResource", "kms:UntagResource",
            "kms:UpdateKeyDescription",
        ],
        ["kms:DescribeKey", "kms:ScheduleKeyDeletion"],
    ),
    "AWS::Lambda::Function": (
        "arn:aws:lambda:{region}:{account}:function:{name}",
        [
            "lambda:CreateFunction", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig", "lambda:GetRuntimeManagementConfig", "lambda:PutFunctionConcurrency",
            "lambda:TagResource",
        ],
        [
            "lambda:DeleteFunctionConcurrency", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig", "lambda:GetRuntimeManagementConfig", "lambda:PutFunctionConcurrency",
            "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
        ],
        ["lambda:DeleteFunction", "lambda:GetFunction"],
    ),
    "AWS::Lambda::Permission": (
        "arn:aws:lambda:{region}:{account}:function:{name}",
        ["lambda:AddPermission", "lambda:GetPolicy"],
        [],
        ["lambda:RemovePermission", "lambda:GetPolicy"],
    ),
    "AWS::Logs::LogGroup": (
        LOGS,
        ["logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:PutRetentionPolicy", "logs:TagResource"],
        ["logs:DescribeLogGroups", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"],
        ["logs:DeleteLogGroup", "logs:DescribeLogGroups"],
    ),
    "AWS::Logs::MetricFilter": (
        LOGS,
        ["logs:PutMetricFilter", "logs:DescribeMetricFilters"],
        ["logs:PutMetricFilter", "logs:DescribeMetricFilters"],
        ["logs:DeleteMetricFilter", "logs:DescribeMetricFilters"],
    ),
    "AWS::Route53::RecordSetGroup": (
        "arn:aws:route53:::hostedzone/{name}",
        ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"],
        ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"],
        ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"],
    ),
    "AWS::SNS::Topic": (
        "arn:aws:sns:{region}:{account}:{name}",
        ["sns:CreateTopic", "sns:GetTopicAttributes", "sns:Subscribe", "sns:TagResource"],
        ["sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:Subscribe", "sns:Unsubscribe"],
        ["sns:DeleteTopic", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
    ),
    "AWS::SecretsManager::Secret": (
        "arn:aws:secretsmanager:{region}:{account}:secret:{name}",
        ["secretsmanager:CreateSecret", "secretsmanager:DescribeSecret", "secretsmanager:TagResource"],
        ["secretsmanager:DescribeSecret", "secretsmanager:UpdateSecret", "secretsmanager:TagResource"],
        ["secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret"],
    ),
}

# The property that names a resource, where the deployer's policy can go by it.
NAMES = {
    "AWS::ApiGatewayV2::ApiMapping": "DomainName",
    "AWS::ApiGatewayV2::DomainName": "DomainName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::MetricFilter": "LogGroupName",
    "AWS::Route53::RecordSetGroup": "HostedZoneId",
}


def required(kind, operation, name, properties, region, account):
    """Everything that an operation needs: actions with what each is about, and what conditions are told of it."""
    arn, *lists = TYPES[kind]
    actions = lists[["create", "update", "delete"].index(operation)]
    names = properties["Roles"] if kind == "AWS::IAM::Policy" else [properties.get(NAMES.get(kind)) or name]
    needed = []
    for one in names:
        # A name may come as an ARN, which ends with it.
        about = arn.format(region=region, account=account, name=str(one).rsplit(":", 1)[-1])
        for action in actions:
            is_about_all = action.startswith(("logs:Describe", "cloudwatch:DescribeAlarms"))
            needed.append((action, EVERYTHING if is_about_all else about, {}))
    if kind == "AWS::ApiGatewayV2::Stage" and "AccessLogSettings" in properties:
        needed += [(action, EVERYTHING, {}) for action in ACCESS_LOG]
    if kind == "AWS::ApiGatewayV2::DomainName" and operation == "create":
        role = GATEWAYS_ROLE.format(account=account)
        needed.append(("iam:CreateServiceLinkedRole", role, {"iam:awsservicename": GATEWAYS_SERVICE}))
    if kind == "AWS::Lambda::Function" and operation != "delete":
        needed.append(("iam:PassRole", properties["Role"], {"iam:passedtoservice": "lambda.amazonaws.com"}))
    return needed
