#!/usr/bin/env bash
# Deploys the login with the AWS CLI alone: from nothing to the last thing that only a person can do, in WeChat's
# consoles. In a checkout it builds first (`make deploy`); beside the zips of a release it builds nothing.
#
# Every question comes before anything is built or deployed, so that these minutes need nobody: the parameters first, and
# the app secrets once the certificate needs nobody either, for they are kept nowhere and would have to be typed again by
# who comes back with a DNS record. What is known is not asked: an argument says it, or the stack itself, which is the
# memory of its own parameters, or the file in .deploy, which holds the answers of a deployment that has not come to an
# end, and what was said of a move to another domain that has not. So a second run asks nothing.
#
# The app secrets are only ever in this process's memory and in the pipe to the AWS CLI: in no file (a here-string
# would be one), on no command line, and in no environment. Only Bash's own `printf`, `read` and `[[ =~ ]]`
# touch them.
#
# It runs on the bash 3.2 of macOS, which `.ci/bash32` looks after: no associative arrays, no `${x,,}`, and
# `"${a[@]+"${a[@]}"}"` for empty arrays.

# The Chinese texts have Chinese quotation marks.
# shellcheck disable=SC1111

set -euo pipefail
# What is built and zipped here is run by another user, in Lambda.
umask 022

# Bash reads a script as it runs it; braces make it read all of this one first, so that an update of the checkout under
# a deployment does no harm.
{

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
    zh*) chinese=1 ;;
    *) chinese= ;;
esac

# Each text is given twice, in Chinese and in English.
pick() { if [ -n "$chinese" ]; then printf '%s' "$1"; else printf '%s' "$2"; fi; }
say() { pick "$1" "$2"; printf '\n'; }
step() { printf '%s==> %s%s\n' "$bold" "$(pick "$1" "$2")" "$plain"; }
warn() { say "$1" "$2" >&2; }
fail() {
    printf '%s' "$bold" >&2
    warn "$1" "$2"
    printf '%s' "$plain" >&2
    exit 1
}

bold='' plain=''
if [ -t 1 ] && [ -t 2 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

usage() {
    if [ -n "$chinese" ]; then
        cat <<'END'
用法：deploy.sh [选项] [参数名=值 …]

部署微信登录。最多问四个问题：登录的域名、服务号的 AppID、网站应用的 AppID、你的网页的源；
另外每个应用输入一次 AppSecret（不显示）。再次运行就是升级，不再提问。
“参数名=值”是模板的参数，例如 SiteName=Example，见 docs/zh-CN/guide/deploy.md。

选项：
      --stack-name <名称>        堆栈名 [默认：wechat-login]
      --region <区域>            AWS 区域 [默认：AWS CLI 的设置]
      --profile <名称>           AWS CLI 的配置名
      --bucket <名称>            存放部署文件的 S3 存储桶 [默认：wechat-login-deploy-<AWS 账户>-<区域>]
      --site-verification <文件> 微信的校验文件 MP_verify_….txt；当前目录里有就自动使用
      --new-secrets              只更换 AppSecret，不编译，不部署
      --secrets-from-stdin       从标准输入读取 AppSecret，JSON：{"AppID":"AppSecret"}
      --template <文件>          部署已经编译好的模板，不再编译
      --check                    只检查参数，什么也不建立
  -y, --yes                      不提问；创建失败的堆栈直接删除重来
  -h, --help                     显示本说明
END
    else
        cat <<'END'
Usage: deploy.sh [OPTIONS] [Name=value …]

Deploys the login with WeChat. Asks at most four things: the domain of the login, the appids of the Official Account
and of the website app, the origins of your pages; and each app's secret, hidden. Run again it is an update that asks
nothing. Name=value is a parameter of the template, such as SiteName=Example: docs/en/guide/deploy.md.

Options:
      --stack-name <NAME>         The stack [default: wechat-login]
      --region <REGION>           The AWS region [default: what the AWS CLI is set to]
      --profile <NAME>            The AWS CLI's profile
      --bucket <NAME>             The S3 bucket for what is deployed [default: wechat-login-deploy-<account>-<region>]
      --site-verification <FILE>  WeChat's file MP_verify_….txt; one in this directory is taken by itself
      --new-secrets               Only rotate the app secrets; build and deploy nothing
      --secrets-from-stdin        Read the app secrets from standard input, as JSON {"appid":"app secret"}
      --template <FILE>           Deploy this template, which is built already
      --check                     Check the parameters and make nothing
  -y, --yes                       Ask nothing; a stack whose creation failed is deleted and made again
  -h, --help                      Print this help
END
    fi
}

# ---------------------------------------------------------------- values by name

# Parameters, as two arrays side by side.
names=()
values=()

# The value of a parameter, in REPLY.
lookup() {
    local index
    for ((index = 0; index < ${#names[@]}; index++)); do
        if [ "${names[index]}" = "$1" ]; then
            REPLY=${values[index]}
            return 0
        fi
    done
    REPLY=''
    return 1
}

value() { lookup "$1" || true; printf '%s' "$REPLY"; }

keep() {
    local index
    for ((index = 0; index < ${#names[@]}; index++)); do
        if [ "${names[index]}" = "$1" ]; then
            values[index]=$2
            return 0
        fi
    done
    names[${#names[@]}]=$1
    values[${#values[@]}]=$2
}

forget() {
    local index last=$((${#names[@]} - 1))
    for ((index = 0; index <= last; index++)); do
        if [ "${names[index]}" = "$1" ]; then
            # The last one takes its place.
            names[index]=${names[last]}
            values[index]=${values[last]}
            unset "names[$last]" "values[$last]"
            return 0
        fi
    done
}

# Text as a JSON string.
quoted() {
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "$text"
}

# Text as one word of a shell's.
word() {
    if [[ $1 =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then
        printf '%s' "$1"
    else
        printf "'%s'" "$(printf '%s' "$1" | sed -e "s/'/'\\\\''/g")"
    fi
}

# The same inside of `make`'s ARGS="…", where a dollar is make's.
words_of_make() {
    case "$1" in
        *[\'\"\\\$\`]*) word "${1//\$/\$\$}" ;;
        *) printf '"%s"' "$1" ;;
    esac
}

# ---------------------------------------------------------------- the command line

stack=wechat-login
region=''
profile=''
bucket=''
verification=''
template=''
ask_secrets=''
secrets_from_stdin=''
yes=''
check_only=''
given_names=()
given_values=()

while [ $# -gt 0 ]; do
    option=$1
    shift
    case "$option" in
        --*=*)
            set -- "${option#*=}" "$@"
            option=${option%%=*}
            ;;
    esac
    case "$option" in
        --stack-name | --region | --profile | --bucket | --site-verification | --template)
            [ $# -gt 0 ] && [ -n "$1" ] || fail "$option 后面要有值。" "$option needs a value."
            ;;
    esac
    case "$option" in
        --stack-name) stack=$1; shift ;;
        --region) region=$1; shift ;;
        --profile) profile=$1; export AWS_PROFILE=$1; shift ;;
        --bucket) bucket=$1; shift ;;
        --site-verification) verification=$1; shift ;;
        --template) template=$1; shift ;;
        --new-secrets) ask_secrets=1 ;;
        --secrets-from-stdin) secrets_from_stdin=1 ;;
        --check) check_only=1 ;;
        -y | --yes) yes=1 ;;
        -h | --help) usage; exit 0 ;;
        -*) fail "没有选项 ${option}，见 --help。" "There is no option $option; see --help." ;;
        [A-Za-z]*=*)
            given_names[${#given_names[@]}]=${option%%=*}
            given_values[${#given_values[@]}]=${option#*=}
            ;;
        *) fail "看不懂 ${option}：参数写作“参数名=值”，见 --help。" \
            "What is $option? A parameter is Name=value; see --help." ;;
    esac
done

given_bucket=$bucket
given_template=$template

is_terminal=''
if [ -t 0 ] && [ -z "$yes" ] && [ -z "$secrets_from_stdin" ]; then is_terminal=1; fi

temporary=$(mktemp -d "${TMPDIR:-/tmp}/deploy.XXXXXX")
# A hidden line that is broken off must not leave the terminal silent.
trap 'if [ -n "${checker_build:-}" ]; then kill "$checker_build" 2>/dev/null || true; fi
    rm -rf "$temporary"; if [ -n "$is_terminal" ]; then stty echo; fi' EXIT
trap 'printf "\n"; exit 130' INT TERM

# ---------------------------------------------------------------- what is deployed

# In a checkout the template is built from the sources; a release has one beside this file for each processor.
builds=''
if [ -z "$template" ] && [ -f "$here/Cargo.toml" ]; then builds=1; fi

# The template whose parameters are asked for.
plain_template() {
    if [ -n "$template" ]; then
        printf '%s' "$template"
    elif [ -n "$builds" ]; then
        printf '%s' "$here/template.yaml"
    else
        printf '%s' "$here/template-$architecture.yaml"
    fi
}

# The parameters of the template, a name a line.
template_parameters() {
    awk '/^[A-Za-z]/ { inside = /^Parameters:/ } inside && /^  [A-Za-z0-9]+:/ { sub(/:.*/, ""); print $1 }' "$1"
}

# One line of a parameter in the template, such as its AllowedPattern.
template_line() {
    awk -v name="$2" -v field="    $3: " '
        /^[A-Za-z]/ { inside = /^Parameters:/ }
        inside && /^  [A-Za-z0-9]+:/ { found = ($1 == name ":") }
        inside && found && index($0, field) == 1 { print substr($0, length(field) + 1); exit }' "$1" |
        sed -e "s/^'\\(.*\\)'\$/\\1/"
}

# The functions of the template, a line each: logical id, and its CodeUri if it has one of its own.
template_functions() {
    awk '
        function flush() { if (is_function) print name "\t" code; is_function = 0; code = "" }
        /^[A-Za-z]/ { flush(); inside = /^Resources:/ }
        inside && /^  [A-Za-z0-9]+:/ { flush(); name = $1; sub(/:.*/, "", name) }
        inside && /^    Type: AWS::Serverless::Function *$/ { is_function = 1 }
        inside && /^      CodeUri: / { code = $2 }
        END { flush() }' "$1"
}

# The processor that an executable is for, by its ELF header, which is the first bytes of standard input.
processor() {
    local header
    header=$(od -An -v -tx1 -N20 | tr -d ' \n')
    case "$header" in
        7f454c46????????????????????????????3e00) printf 'x86_64' ;;
        7f454c46????????????????????????????b700) printf 'arm64' ;;
        *) printf 'none' ;;
    esac
}

sum_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1" | cut -d ' ' -f 1
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

# Refuses a build in which a function is missing or is for another processor: it would deploy, and no function start.
check_build() {
    local file=$1 folder name code path found expected sum count=0
    folder=$(dirname "$file")
    while IFS=$'\t' read -r name code; do
        count=$((count + 1))
        path=$folder/$code
        found=none
        if [ -z "$code" ] || [ "$code" = . ]; then
            path=''
        elif [ -f "$path/bootstrap" ]; then
            path=$path/bootstrap
            found=$(processor <"$path")
            chmod a+rx "$path"
        elif [ -f "$path" ]; then
            if [ -f "$folder/SHA256SUMS" ]; then
                expected=$(awk -v name="$code" '$2 == name || $2 == "*" name { print $1 }' "$folder/SHA256SUMS")
                sum=$(sum_of "$path")
                [ -z "$sum" ] || [ "$sum" = "$expected" ] || fail "$code 与 SHA256SUMS 不符；请重新下载。" \
                    "$code is not the file that SHA256SUMS names; download it again."
            fi
            if command -v unzip >/dev/null; then
                found=$({ unzip -p "$path" bootstrap 2>/dev/null || true; } | processor)
            else
                case "$code" in *-"$architecture".zip) found=$architecture ;; esac
            fi
        fi
        [ "$found" != none ] || fail \
            "$name 没有编译好的程序（${path:-$file}）。只编译了一部分？请重新运行 make deploy，或 make sam-build。" \
            "$name has no executable (${path:-$file}). Is this the build of one function? Run make deploy, or make sam-build."
        [ "$found" = "$architecture" ] || fail \
            "$name 是为 $found 编译的，而要部署的是 ${architecture}。请用 Architecture=${found}，或重新编译。" \
            "$name is built for $found, but $architecture is to be deployed. Say Architecture=$found, or build again."
    done < <(template_functions "$file")
    [ "$count" -gt 0 ] || fail "$file 里没有函数。" "There is no function in $file."
}

# ---------------------------------------------------------------- AWS

command -v aws >/dev/null || fail \
    "找不到 AWS CLI（aws）。安装方法：https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" \
    "There is no AWS CLI (aws). How to install it: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
export AWS_PAGER=''

# The AWS CLI; what it complains of stands in the file `error`.
call() { aws --region "$region" --output text "$@" 2>"$temporary/error"; }

complaint() { awk 'NF' "$temporary/error" | tail -n 3; }

# The same, where a refusal ends everything.
must() {
    local code=0
    call "$@" || code=$?
    [ "$code" = 0 ] || fail "AWS 拒绝了 $1 $2：
$(complaint)" "AWS refused $1 $2:
$(complaint)"
}

[ -n "$region" ] || region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
[ -n "$region" ] || region=$(aws configure get region 2>/dev/null || true)
[ -n "$region" ] || fail "部署到哪个 AWS 区域？请用 --region，例如 --region ap-east-1（香港）。" \
    "Into which AWS region? Say --region, such as --region ap-southeast-1."

identity=$(call sts get-caller-identity --query '[Account,Arn]') || fail "AWS CLI 没有可用的凭证，请先运行 aws configure 或 aws sso login：
$(complaint)" "The AWS CLI has no credentials that work; run aws configure or aws sso login first:
$(complaint)"
account=$(printf '%s' "$identity" | cut -f 1)
case "$region" in
    cn-*) suffix=amazonaws.com.cn ;;
    *) suffix=amazonaws.com ;;
esac
[ -n "$bucket" ] || bucket=wechat-login-deploy-$account-$region

step "堆栈 ${stack}，区域 ${region}，AWS 账户 $account" "Stack $stack in $region, AWS account $account"

# ---------------------------------------------------------------- what is known already

stack_status() {
    local status
    if status=$(call cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus'); then
        printf '%s' "$status"
    elif grep -q 'does not exist' "$temporary/error"; then
        printf 'NONE'
    else
        fail "读取堆栈失败：
$(complaint)" "The stack could not be read:
$(complaint)"
    fi
}

# A minute of calls that failed one after the other: no break in the network, but credentials that are over.
unanswered=0
not_answered() {
    unanswered=$((unanswered + 1))
    [ "$unanswered" -lt 20 ] || fail "
看不到部署的进展了；AWS 上的部署仍在继续。请重新登录 AWS，再运行同一条命令，就能接着看。原因：
$(complaint)" "
The deployment cannot be followed any more; it goes on at AWS. To follow it, log in again to AWS and run the same command. The reason:
$(complaint)"
    sleep "$pause"
}

# Prints what CloudFormation does, until it is done; the last status is in STATUS. `total` is how many resources change.
seen=''
# The newest event of a stack, by `call` or by `must`.
newest_event() {
    "$1" cloudformation describe-stack-events --stack-name "$2" --max-items 1 --query 'StackEvents[].EventId' |
        awk 'NR == 1 && $1 != "None" { print $1 }'
}

follow() {
    local id=$1 total=$2 finished=0 event logical type status reason events width
    first_failure=''
    while :; do
        if STATUS=$(call cloudformation describe-stacks --stack-name "$id" --query 'Stacks[0].StackStatus'); then
            unanswered=0
        elif grep -q 'does not exist' "$temporary/error"; then
            STATUS=DELETE_COMPLETE
        else
            not_answered
            continue
        fi
        # A stack that was deleted has events still, by its id.
        events=$(call cloudformation describe-stack-events --stack-name "$id" --max-items 250 \
            --query 'StackEvents[].[EventId,LogicalResourceId,ResourceType,ResourceStatus,ResourceStatusReason]') || events=''
        while IFS=$'\t' read -r event logical type status reason; do
            [ -n "$status" ] || continue
            seen=$event
            case "$type:$status" in
                AWS::CloudFormation::Stack:*) ;;
                *:*_FAILED)
                    printf '%s  ! %s %s: %s\n' "$clear" "$logical" "$status" "$reason"
                    # What is cancelled because of another is not the reason.
                    case "$reason" in *ancelled*) ;; *)
                        [ -n "$first_failure" ] || first_failure="$logical: $reason" ;;
                    esac
                    ;;
                *:*_COMPLETE)
                    finished=$((finished + 1))
                    # An update touches what the change set did not name.
                    case "$total" in '?') ;; *) if [ "$finished" -gt "$total" ]; then total=$finished; fi ;; esac
                    if [ -n "$clear" ]; then
                        width=$(printf '%*d' "${#total}" "$finished")
                        printf '%s  %s/%s  %s' "$clear" "$width" "$total" "$logical"
                    else
                        printf '  %s/%s  %s %s\n' "$finished" "$total" "$logical" "$status"
                    fi
                    ;;
            esac
        done < <(printf '%s\n' "$events" | awk -F '\t' -v seen="$seen" '
            NF < 4 { next } $1 == seen { exit } { line[++count] = $0 } END { while (count > 0) print line[count--] }')
        case "$STATUS" in
            *_IN_PROGRESS) sleep "$pause" ;;
            *) break ;;
        esac
    done
    printf '%s' "$clear"
}
clear=''
if [ -t 1 ]; then clear=$'\r\033[K'; fi
# How often AWS is asked how far it is, in seconds.
pause=${DEPLOY_POLL_SECONDS:-3}

status=$(stack_status)
case "$status" in
    REVIEW_IN_PROGRESS) status=NONE ;;
    *_IN_PROGRESS)
        step "堆栈正在变更（${status}），先等它完成" "The stack is being changed ($status); waiting for that first"
        follow "$stack" '?'
        status=$(stack_status)
        ;;
esac
case "$status" in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | DELETE_FAILED)
        say "上一次创建失败了，堆栈停在 ${status}；AWS 要求先删除它，才能再次创建。" \
            "Its creation failed before and left it in $status; AWS wants it deleted before it can be made again."
        call cloudformation describe-stack-events --stack-name "$stack" --max-items 200 \
            --query "StackEvents[?ends_with(ResourceStatus,'_FAILED')].[LogicalResourceId,ResourceStatusReason]" |
            awk -F '\t' 'NF > 1 && !/ancelled/ { last = "  ! " $1 ": " $2 } END { if (last) print last }' || true
        if [ -z "$yes" ]; then
            [ -n "$is_terminal" ] || fail "加上 --yes 就会删除它。" "With --yes it is deleted."
            pick "现在删除？[Y/n] " "Delete it now? [Y/n] "
            read -r reply || reply=n
            case "$reply" in '' | [Yy]*) ;; *) exit 1 ;; esac
        fi
        if [ -z "$check_only" ]; then
            id=$(must cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackId')
            seen=$(newest_event must "$id")
            must cloudformation delete-stack --stack-name "$id"
            follow "$id" '?'
            [ "$STATUS" = DELETE_COMPLETE ] || fail "删除没有成功（${STATUS}）：请在 CloudFormation 控制台查看。" \
                "It was not deleted ($STATUS): look at it in CloudFormation's console."
            say "已删除。" "Deleted."
        fi
        status=NONE
        ;;
    UPDATE_ROLLBACK_FAILED)
        fail "堆栈停在 UPDATE_ROLLBACK_FAILED。请先运行：aws cloudformation continue-update-rollback --region $region --stack-name $stack" \
            "The stack is in UPDATE_ROLLBACK_FAILED. First run: aws cloudformation continue-update-rollback --region $region --stack-name $stack"
        ;;
esac
exists=1
if [ "$status" = NONE ]; then exists=''; fi

answers=.deploy/$stack.$region
# What the stack itself has.
stored_names=()
stored_values=()
if [ -n "$exists" ]; then
    previous=$(must cloudformation describe-stacks --stack-name "$stack" \
        --query 'Stacks[0].Parameters[].[ParameterKey,ParameterValue]')
    while IFS=$'\t' read -r name text; do
        [ -n "$name" ] || continue
        keep "$name" "$text"
        stored_names[${#stored_names[@]}]=$name
        stored_values[${#stored_values[@]}]=$text
    done < <(printf '%s\n' "$previous")
elif [ -f "$answers" ]; then
    say "沿用 $answers 里的回答。" "Taking the answers in $answers."
    while IFS= read -r line || [ -n "$line" ]; do
        # In some locales [A-Z] has small letters, too.
        case "$line" in from=*) ;; [A-Z]*=*) keep "${line%%=*}" "${line#*=}" ;; esac
    done <"$answers"
fi
known_domain=$(value DomainName)
for ((index = 0; index < ${#given_names[@]}; index++)); do
    keep "${given_names[index]}" "${given_values[index]}"
done

is_given() {
    local given
    for given in "${given_names[@]+"${given_names[@]}"}"; do
        [ "$given" != "$1" ] || return 0
    done
    return 1
}

# What was said of a move of this stack to another domain counts as if it were said again, until the stack has moved; unless
# a domain is named now, or the stack is no more where it was then. Secrets are rotated of the stack as it is.
answer_of() { awk -v begin="$1=" 'index($0, begin) == 1 { print substr($0, length(begin) + 1); exit }' "$answers"; }
if [ -n "$exists" ] && [ -z "$ask_secrets" ] && [ -f "$answers" ] && [ "$(answer_of from)" = "$known_domain" ] &&
    { ! is_given DomainName || [ "$(value DomainName)" = "$(answer_of DomainName)" ]; }; then
    say "继续把域名换成 $(answer_of DomainName)，沿用 $answers 里的参数。要保留 ${known_domain}，请删除这个文件。" \
        "Going on with the move to $(answer_of DomainName), with the parameters in $answers. To stay at $known_domain, delete that file."
    while IFS= read -r line || [ -n "$line" ]; do
        case "$line" in from=*) continue ;; [A-Z]*=*) ;; *) continue ;; esac
        if is_given "${line%%=*}"; then continue; fi
        keep "${line%%=*}" "${line#*=}"
        given_names[${#given_names[@]}]=${line%%=*}
    done <"$answers"
fi

# Whether the stack has this value already.
is_stored() {
    local index
    for ((index = 0; index < ${#stored_names[@]}; index++)); do
        if [ "${stored_names[index]}" = "$1" ] && [ "${stored_values[index]}" = "$2" ]; then return 0; fi
    done
    return 1
}

# The processor: as said, as it runs, as what is built already is for, or what is on offer in every region of that part.
if ! lookup Architecture; then
    case "$region" in cn-*) REPLY=x86_64 ;; *) REPLY=arm64 ;; esac
    if [ -n "$template" ]; then
        code=$(template_functions "$template" | cut -f 2 | head -n 1)
        file=$(dirname "$template")/$code/bootstrap
        if [ -n "$code" ] && [ -f "$file" ]; then REPLY=$(processor <"$file"); fi
    fi
fi
architecture=$REPLY
case "$architecture" in
    arm64 | x86_64) ;;
    none) fail "$template 里没有编译好的程序。" "What $template names is no executable." ;;
    *) fail "Architecture 是 arm64 或 x86_64。" "Architecture is arm64 or x86_64." ;;
esac
keep Architecture "$architecture"

asked_template=$(plain_template)
[ -f "$asked_template" ] || fail "没有文件 ${asked_template}。" "There is no file $asked_template."
known=" $(template_parameters "$asked_template" | tr '\n' ' ') "
for name in "${given_names[@]+"${given_names[@]}"}"; do
    case "$known" in
        *" $name "*) ;;
        *) fail "模板没有参数 ${name}。全部参数：$known" "The template has no parameter $name. It has:$known" ;;
    esac
done

# A build that is there already is judged before anything is asked.
[ -n "$builds" ] || check_build "$asked_template"

# ---------------------------------------------------------------- the functions' own parser

# Says what the functions would refuse, a line for each problem: the parameter, a tab, what it must be.
checker=()
checker_build=''
machine=$(uname -s)-$(uname -m)
if [ -n "${CHECK_CONFIG:-}" ]; then
    checker=("$CHECK_CONFIG")
elif [ -f "$here/Cargo.toml" ] && command -v cargo >/dev/null; then
    # It takes minutes the first time, in which the questions can be answered.
    (cd "$here" && exec cargo build --quiet --bin check-config) </dev/null >"$temporary/checker" 2>&1 &
    checker_build=$!
    checker=("${CARGO_TARGET_DIR:-$here/target}/debug/check-config")
elif [ "$machine" = Linux-x86_64 ] && [ -f "$here/check-config-x86_64" ]; then
    checker=("$here/check-config-x86_64")
elif [ "$machine" = Linux-aarch64 ] && [ -f "$here/check-config-arm64" ]; then
    checker=("$here/check-config-arm64")
fi

parsed() {
    local index arguments=()
    [ ${#checker[@]} -gt 0 ] || return 0
    if [ -n "$checker_build" ]; then
        if kill -0 "$checker_build" 2>/dev/null; then
            step "编译检查程序（首次需要几分钟）" "Building what checks the parameters; the first time takes some minutes"
        fi
        wait "$checker_build" || fail "检查程序编译失败：
$(cat "$temporary/checker")" "What checks the parameters could not be built:
$(cat "$temporary/checker")"
        checker_build=''
    fi
    for ((index = 0; index < ${#names[@]}; index++)); do
        # An older stack may have parameters that this template has no more.
        case "$known" in *" ${names[index]} "*) arguments[${#arguments[@]}]=${names[index]}=${values[index]} ;; esac
    done
    # A zip that was unpacked by hand has lost the right to run.
    [ -x "${checker[0]}" ] || chmod +x "${checker[0]}" 2>/dev/null || true
    "${checker[0]}" --template "$asked_template" "${arguments[@]+"${arguments[@]}"}" >"$temporary/problems" 2>"$temporary/error" && return 0
    [ -s "$temporary/problems" ] || fail "检查程序没有运行：
$(complaint)" "The check did not run:
$(complaint)"
    return 1
}

# ---------------------------------------------------------------- questions

# What is typed as it is meant: people copy a domain and an origin from a browser.
normalized() {
    local text
    text=$(printf '%s' "$2" | tr -d ' \t\r\n')
    case "$1" in
        DomainName)
            text=$(printf '%s' "${text#*://}" | tr '[:upper:]' '[:lower:]')
            text=${text%%/*}
            ;;
        OfficialAccountAppId | WebsiteAppId) ;;
        AllowedOrigins)
            text=$(printf '%s' "$text" | sed -e 's/，/,/g' -e 's#/*,#,#g' -e 's#/*$##')
            ;;
    esac
    printf '%s' "$text"
}

# Whether CloudFormation's own pattern takes a value; its words if not, in REPLY.
well_formed() {
    local pattern
    pattern=$(template_line "$asked_template" "$1" AllowedPattern)
    REPLY=$(template_line "$asked_template" "$1" ConstraintDescription)
    [ -z "$pattern" ] || [[ $2 =~ $pattern ]]
}

question() {
    case "$1" in
        DomainName) pick "登录用的域名，例如 auth.example.com" "The domain of the login, such as auth.example.com" ;;
        OfficialAccountAppId) pick "服务号的 AppID（wx…；没有就按回车）" "Appid of the Official Account, 服务号 (wx…; Enter for none)" ;;
        WebsiteAppId) pick "网站应用的 AppID（wx…；没有就按回车）" "Appid of the website app, 网站应用 (wx…; Enter for none)" ;;
        AllowedOrigins) pick "你的网页的源，逗号分隔" "The origins of your pages, separated by commas" ;;
    esac
}

shape() {
    case "$1" in
        DomainName) pick "域名用小写，不带 https:// 和路径，例如 auth.example.com。" "A domain in lower case, without https:// and without a path, such as auth.example.com." ;;
        OfficialAccountAppId | WebsiteAppId) pick "AppID 是 wx 加 16 位小写十六进制数字；服务号和网站应用至少有一个，两者不同。" "An appid is wx and 16 hexadecimal digits in lower case. One of the two is needed, and they differ." ;;
        AllowedOrigins) pick "源以 https:// 开头，不带路径，与登录的域名同站，例如 https://www.example.com。" "Origins start with https://, have no path, and are on the site of the login's domain, such as https://www.example.com." ;;
    esac
}

# Asks for a parameter until the answer is well-formed.
ask() {
    local suggestion='' reply text
    if [ "$1" = AllowedOrigins ]; then
        suggestion=$(value DomainName)
        case "$suggestion" in *.*.*) suggestion=https://www.${suggestion#*.} ;; *) suggestion='' ;; esac
    fi
    while :; do
        printf '%s%s: ' "$(question "$1")" "${suggestion:+ [$suggestion]}"
        read -r reply || fail "
没有回答。" "
No answer."
        text=$(normalized "$1" "$reply")
        if [ -z "$text" ]; then text=$suggestion; fi
        if well_formed "$1" "$text"; then
            keep "$1" "$text"
            return 0
        fi
        say "  $(shape "$1")" "  $(shape "$1")"
    done
}

questions='DomainName OfficialAccountAppId WebsiteAppId AllowedOrigins'
has_apps() { [ -n "$(value OfficialAccountAppId)$(value WebsiteAppId)$(value Accounts)" ]; }

for name in $questions; do
    if lookup "$name"; then
        keep "$name" "$(normalized "$name" "$REPLY")"
        continue
    fi
    if [ -n "$is_terminal" ]; then
        ask "$name"
        if [ "$name" = WebsiteAppId ] && ! has_apps; then
            say "  $(shape "$name")" "  $(shape "$name")"
            ask OfficialAccountAppId
            has_apps || ask WebsiteAppId
        fi
    else
        case "$name" in
            *AppId) ;;
            *) fail "缺少 $name=…（$(shape "$name")）" "$name=… is missing. $(shape "$name")" ;;
        esac
    fi
done
has_apps || fail "$(shape WebsiteAppId)" "$(shape WebsiteAppId)"

# WeChat's file, given or lying here: `name=content`.
verify() {
    local file=$1 name content pair
    name=$(basename "$file")
    [ -f "$file" ] || fail "没有文件 ${file}。" "There is no file $file."
    content=$(tr -d ' \r\n' <"$file")
    pair=$name=$content
    well_formed SiteVerification "$pair" || fail "$file 不是微信的校验文件。" "$file is not WeChat's file. $REPLY"
    lookup SiteVerification || true
    case ",$REPLY," in *",$pair,"*) return 0 ;; esac
    say "微信的校验文件：$name" "WeChat's file: $name"
    keep SiteVerification "${REPLY:+$REPLY,}$pair"
}
if [ -n "$verification" ]; then
    verify "$verification"
else
    for file in MP_verify_*.txt; do
        if [ -f "$file" ]; then verify "$file"; fi
    done
fi

# All at once, in CloudFormation's words and in the functions'; at a terminal what is wrong is asked again.
while :; do
    wrong=''
    # What reads the template judges by its patterns too, in both languages.
    for ((index = 0; index < ${#names[@]} && ${#checker[@]} == 0; index++)); do
        name=${names[index]}
        case "$known" in *" $name "*) ;; *) continue ;; esac
        if ! well_formed "$name" "${values[index]}"; then
            warn "$name 有误：$REPLY" "$name is wrong: $REPLY"
            wrong="$wrong $name"
        fi
    done
    if [ -z "$wrong" ]; then
        parsed && break
        while IFS=$'\t' read -r name problem; do
            warn "$problem" "$problem"
            wrong="$wrong $name"
        done <"$temporary/problems"
    fi
    repeated=''
    for name in $wrong; do
        case " $questions " in *" $name "*) ;; *) exit 1 ;; esac
        [ -n "$is_terminal" ] || exit 1
        case " $repeated " in *" $name "*) continue ;; esac
        repeated="$repeated $name"
        say "  $(shape "$name")" "  $(shape "$name")"
        ask "$name"
    done
done
if [ ${#checker[@]} -gt 0 ]; then
    say "参数已由函数自己的程序检查过。" "The functions' own parser takes these parameters."
else
    say "这台电脑上不能运行函数的检查程序：参数由 CloudFormation 检查，其余的由部署后的函数检查。" \
        "The functions' parser does not run on this machine: CloudFormation checks the parameters, the deployed functions the rest."
fi

# One KMS key that cannot be read makes `token` publish none of them, while the first one goes on signing.
check_keys() {
    local key state usage spec found seen=' '
    for key in $(printf '%s' "$1" | tr ',' ' '); do
        case "$key" in *:kms:*) ;; *) continue ;; esac
        case "$key" in *":kms:$region:"*) ;; *) fail \
            "SigningKeys：$key 不在区域 $region 里。" "SigningKeys: $key is not in the region $region." ;;
        esac
        case "$seen" in *" ${key##*/} "*) fail \
            "SigningKeys：$key 出现了两次。" "SigningKeys: $key stands there twice." ;;
        esac
        seen="$seen${key##*/} "
        if found=$(call kms describe-key --key-id "$key" --query 'KeyMetadata.[KeyState,KeyUsage,KeySpec]'); then
            IFS=$'\t' read -r state usage spec < <(printf '%s\n' "$found")
            case "$state:$usage:$spec" in
                Enabled:SIGN_VERIFY:RSA_*) ;;
                *) fail "SigningKeys：$key 不能签名：它是 ${spec}、${usage}，状态 ${state}；应为 RSA_2048、SIGN_VERIFY、Enabled。" \
                    "SigningKeys: $key cannot sign: it is $spec for $usage and $state, and has to be RSA_2048 for SIGN_VERIFY and Enabled." ;;
            esac
        elif grep -q AccessDenied "$temporary/error"; then
            warn "SigningKeys：不允许你查看 ${key}（kms:DescribeKey），没有检查它。" \
                "SigningKeys: you may not look at $key (kms:DescribeKey), so nobody has."
        else
            fail "SigningKeys：${key}：
$(complaint)" "SigningKeys: $key:
$(complaint)"
        fi
    done
}
if [ -n "$(value OpenidConnect)" ] && { [ -z "$exists" ] || [ -z "$ask_secrets" ]; }; then check_keys "$(value SigningKeys)"; fi
[ -z "$check_only" ] || exit 0

domain=$(value DomainName)
# Certificate and zone are those of a domain; another one has its own.
moves=''
if [ -n "$known_domain" ] && [ "$domain" != "$known_domain" ]; then
    moves=1
    for name in CertificateArn HostedZoneId; do is_given "$name" || forget "$name"; done
fi
# WeChat, people and the certificate have it from here on: what was answered is kept, until the stack is its memory.
# Of a stack that stands, only a move is kept, which takes a record of the person's in between.
remember() {
    local index
    [ -z "$exists" ] || [ -n "$moves" ] || return 0
    mkdir -p .deploy
    {
        printf '# Answers to deploy.sh; no secret is among them.\n'
        if [ -n "$exists" ]; then printf 'from=%s\n' "$known_domain"; fi
        for ((index = 0; index < ${#names[@]}; index++)); do
            if is_given "${names[index]}" || ! is_stored "${names[index]}" "${values[index]}"; then
                printf '%s=%s\n' "${names[index]}" "${values[index]}"
            fi
        done
    } >"$answers"
}
remember

# ---------------------------------------------------------------- certificate and hosted zone

# The public hosted zone with the longest name that the domain ends in; nothing if the account has none.
find_zone() {
    call route53 list-hosted-zones --query 'HostedZones[].[Id,Name,Config.PrivateZone]' |
        awk -F '\t' -v domain=".$domain." '
            $3 != "True" && $3 != "true" {
                name = "." $2; if (name !~ /\.$/) name = name "."
                at = length(domain) - length(name) + 1
                if (at > 0 && substr(domain, at) == name && length(name) > longest) { longest = length(name); id = $1 }
            }
            END { sub(/.*\//, "", id); print id }' || true
}

zone=''
if lookup HostedZoneId || { [ -n "$exists" ] && [ -z "$moves" ]; }; then
    zone=$(value HostedZoneId)
else
    zone=$(find_zone)
    if [ -n "$zone" ]; then
        # The stack makes the domain's record itself, and fails if there is one already.
        taken=$(call route53 list-resource-record-sets --hosted-zone-id "$zone" \
            --query "ResourceRecordSets[?Name=='$domain.' && (Type=='A' || Type=='AAAA' || Type=='CNAME')].Type" || true)
        taken=$(printf '%s' "$taken" | tr '\t\n' '  ' | sed -e 's/None//g' -e 's/ *$//')
        [ -z "$taken" ] || fail "托管区域 $zone 里已有 $domain 的记录（${taken}）。请先删除它，再运行一次；或者加上参数 HostedZoneId=，由你自己修改 DNS。" \
            "$domain has a record ($taken) in the hosted zone $zone. Delete it and run this again; or give HostedZoneId= and point the domain yourself."
        say "托管区域：${zone}（DNS 记录由堆栈建立）" "Hosted zone: $zone (the stack makes the DNS records)"
    else
        say "AWS 账户里没有 $domain 的公有托管区域：DNS 记录由你在域名服务商处添加。" \
            "This account has no public hosted zone for $domain: you add the DNS records where the domain is kept."
    fi
    # A stack that has the zone of another domain is told that there is none.
    [ -z "$zone$exists" ] || keep HostedZoneId "$zone"
fi

# A certificate of this account and region that fits the domain: its own before its parent's wildcard, an issued one
# before one that waits. Prints the ARN and the state.
find_certificate() {
    # shellcheck disable=SC2016 # The backquotes are JMESPath's.
    call acm list-certificates --certificate-statuses ISSUED PENDING_VALIDATION \
        --includes keyTypes=RSA_2048,RSA_3072,RSA_4096,EC_prime256v1,EC_secp384r1 \
        --query 'CertificateSummaryList[].[CertificateArn,Status || `ISSUED`,DomainName,join(`,`,SubjectAlternativeNameSummaries || `[]`)]' |
        awk -F '\t' -v domain="$domain" '
            {
                parent = domain; sub(/^[^.]*\./, "*.", parent); rank = 0
                names = "," $3 "," $4 ","
                if (index(names, "," parent ",")) rank = 1
                if (index(names, "," domain ",")) rank = 2
                if (rank && $2 == "ISSUED") rank += 2
                if (rank > best) { best = rank; line = $1 "\t" $2 }
            }
            END { print line }' || true
}

certificate=$(value CertificateArn)
certificate_state=ISSUED
if [ -z "$certificate" ]; then
    IFS=$'\t' read -r certificate certificate_state < <(find_certificate) || true
    if [ -z "$certificate" ]; then
        step "在 $region 为 $domain 申请证书" "Requesting a certificate for $domain in $region"
        certificate=$(must acm request-certificate --domain-name "$domain" --validation-method DNS \
            --idempotency-token "$(printf '%s' "$domain" | tr -cd 'a-z0-9' | cut -c 1-32)" --query CertificateArn)
        certificate_state=PENDING_VALIDATION
    fi
    say "证书：$certificate" "Certificate: $certificate"
fi
certificate_status() {
    must acm describe-certificate --certificate-arn "$certificate" --query 'Certificate.Status'
}
if [ "$certificate_state" != ISSUED ]; then
    certificate_state=$(certificate_status)
fi
if [ "$certificate_state" != ISSUED ]; then
    # ACM knows the record some seconds after the request.
    for ((index = 0; index < 30; index++)); do
        record=$(must acm describe-certificate --certificate-arn "$certificate" \
            --query 'Certificate.DomainValidationOptions[0].ResourceRecord.[Name,Value]')
        record_name=${record%%$'\t'*}
        record_value=${record#*$'\t'}
        [ -z "$record_name" ] || [ "$record_name" = None ] || break
        sleep "$pause"
    done
    if [ -n "$zone" ]; then
        must route53 change-resource-record-sets --hosted-zone-id "$zone" --change-batch "{\"Changes\":[{\"Action\":\"UPSERT\",
            \"ResourceRecordSet\":{\"Name\":$(quoted "$record_name"),\"Type\":\"CNAME\",\"TTL\":300,
            \"ResourceRecords\":[{\"Value\":$(quoted "$record_value")}]}}]}" --query 'ChangeInfo.Status' >/dev/null
        say "证书的验证记录已写入托管区域；通常几分钟内签发。" \
            "The record that validates the certificate is in the hosted zone; it is usually issued within minutes."
    else
        say "
请在域名服务商处添加这条 CNAME 记录，AWS 用它验证域名，之后才签发证书：

  主机记录  $record_name
  记录值    $record_value

添加之后再运行一次，就会从这里继续；已回答的问题不再问。签发通常在记录生效后几分钟内完成。" "
Add this CNAME record where the domain is kept. AWS looks for it, and only then issues the certificate:

  Name   $record_name
  Value  $record_value

Then run this again: it goes on from here and asks nothing twice. The certificate is usually issued within minutes."
        exit 3
    fi
fi

# ---------------------------------------------------------------- app secrets

secret_apps=()
secret_values=()

secret_of() {
    local index
    for ((index = 0; index < ${#secret_apps[@]}; index++)); do
        if [ "${secret_apps[index]}" = "$1" ]; then
            REPLY=${secret_values[index]}
            return 0
        fi
    done
    REPLY=''
    return 1
}

put_secret() {
    local index
    for ((index = 0; index < ${#secret_apps[@]}; index++)); do
        if [ "${secret_apps[index]}" = "$1" ]; then
            secret_values[index]=$2
            return 0
        fi
    done
    secret_apps[${#secret_apps[@]}]=$1
    secret_values[${#secret_values[@]}]=$2
}

# Reads a flat JSON object of strings, into what is to be put; nothing else can be in that secret.
read_secrets() {
    local rest=$1 space='[[:space:]]*' entry app secret comma
    [[ $rest =~ ^$space\{(.*)\}$space$ ]] || return 1
    rest=${BASH_REMATCH[1]}
    entry="^$space\"([^\"\\\\]*)\"$space:$space\"([^\"\\\\]*)\"$space(,?)(.*)\$"
    while [[ $rest =~ [^[:space:]] ]]; do
        [[ $rest =~ $entry ]] || return 1
        app=${BASH_REMATCH[1]} secret=${BASH_REMATCH[2]} comma=${BASH_REMATCH[3]} rest=${BASH_REMATCH[4]}
        [ -n "$comma" ] || [[ ! $rest =~ [^[:space:]] ]] || return 1
        put_secret "$app" "$secret"
    done
}

# Stores them, if there are new ones.
put_secrets() {
    local index json='{' separator=''
    [ -n "$new_secrets" ] || return 0
    for ((index = 0; index < ${#secret_apps[@]}; index++)); do
        json=$json$separator\"${secret_apps[index]}\":\"${secret_values[index]}\"
        separator=,
    done
    json=$json'}'
    printf '%s' "$json" | must secretsmanager put-secret-value --secret-id "$secret_arn" \
        --secret-string file:///dev/stdin --query VersionId >/dev/null
    say "AppSecret 已存入 Secrets Manager。" "The app secrets are in Secrets Manager."
}

# The secret that there will be: one of the team's own, as it is said now, or the one that the stack has made. Rotated is that of
# the stack as it is.
own_secret=$(value AppSecretsArn)
secret_arn=$own_secret
if [ -n "$exists" ] && { [ -n "$ask_secrets" ] || { [ -z "$own_secret" ] && { ! is_given AppSecretsArn || is_stored AppSecretsArn ''; }; }; }; then
    secret_arn=$(must cloudformation describe-stacks --stack-name "$stack" \
        --query "Stacks[0].Outputs[?OutputKey=='AppSecretsArn'].OutputValue")
fi
unread=''
if [ -n "$secret_arn" ]; then
    if text=$(call secretsmanager get-secret-value --secret-id "$secret_arn" --query SecretString); then
        read_secrets "$text" || fail "Secrets Manager 密钥 $secret_arn 的内容不是 {\"AppID\":\"AppSecret\"}；请在 Secrets Manager 里改正。" \
            "The secret $secret_arn does not hold {\"appid\":\"app secret\"}; correct it in Secrets Manager."
        text=''
    elif grep -q 'ResourceNotFoundException.*secret value' "$temporary/error"; then
        # A secret that has no value yet.
        :
    elif grep -q ResourceNotFoundException "$temporary/error"; then
        fail "没有 Secrets Manager 密钥 ${secret_arn}；请检查 AppSecretsArn。" "There is no secret $secret_arn. Look at AppSecretsArn."
    elif grep -q AccessDenied "$temporary/error" && [ -n "$own_secret" ] && [ -z "$ask_secrets$secrets_from_stdin" ]; then
        # Who deploys need not read the team's own secret; the functions do, and the doctor says what they do not find.
        unread=1
        warn "Secrets Manager 密钥 $secret_arn 不允许你读取：其中有没有每个应用的 AppSecret，部署之后由 doctor 检查。" \
            "You may not read the secret $secret_arn; whether it has every app's secret, the doctor says after the deployment."
    else
        fail "Secrets Manager 密钥 $secret_arn 读取失败：
$(complaint)" "The secret $secret_arn could not be read:
$(complaint)"
    fi
fi

new_secrets=''
if [ -n "$secrets_from_stdin" ]; then
    text=''
    IFS= read -r -d '' text || true
    read_secrets "$text" || fail "标准输入应为 JSON：{\"AppID\":\"AppSecret\"}" "Standard input must be JSON: {\"appid\":\"app secret\"}"
    text=''
    new_secrets=1
fi

# The apps that need a secret: of the two parameters, and of further accounts.
apps=$(printf '%s %s %s' "$(value OfficialAccountAppId)" "$(value WebsiteAppId)" "$(value Accounts)" |
    grep -o 'wx[0-9a-f]\{16\}' | awk '!seen[$0]++' || true)
missing=''
for app in $apps; do
    if [ -n "$unread" ]; then break; fi
    if secret_of "$app" && { [ -z "$ask_secrets" ] || [ -n "$secrets_from_stdin" ]; }; then continue; fi
    if [ -z "$is_terminal" ]; then
        missing="$missing $app"
        continue
    fi
    while :; do
        # Before the question, so that what is pasted early is not shown either.
        stty -echo
        if secret_of "$app"; then
            pick "$app 的 AppSecret（输入时不显示；按回车保留原来的）: " "App secret of $app (not shown; Enter keeps the one that is stored): "
        else
            pick "$app 的 AppSecret（输入时不显示）: " "App secret of $app (not shown as you type): "
        fi
        IFS= read -r text || text=''
        stty echo
        printf '\n'
        text=${text//[[:space:]]/}
        if [ -z "$text" ] && secret_of "$app"; then break; fi
        if [[ $text =~ ^[0-9a-f]{32}$ ]]; then
            put_secret "$app" "$text"
            new_secrets=1
            break
        fi
        say "  AppSecret 是 32 位小写十六进制数字；在哪里找到它，见下面的路径：" \
            "  An app secret is 32 hexadecimal digits in lower case. Where it stands:"
        if [ "$app" = "$(value WebsiteAppId)" ]; then
            say "  微信开放平台 open.weixin.qq.com：管理中心 → 网站应用 → 详情" \
                "  WeChat Open Platform, open.weixin.qq.com: 管理中心 → 网站应用 → 详情"
        else
            say "  微信开发者平台 developers.weixin.qq.com/platform：我的业务 → 服务号 → 基础信息" \
                "  WeChat developer platform, developers.weixin.qq.com/platform: 我的业务 → 服务号 → 基础信息"
        fi
    done
    text=''
done
for app in $apps; do
    if secret_of "$app" && ! [[ $REPLY =~ ^[0-9a-f]{32}$ ]]; then
        fail "$app 的 AppSecret 不是 32 位小写十六进制数字。" "The app secret of $app is not 32 hexadecimal digits in lower case."
    fi
done

# To rotate them, nothing else has to change.
if [ -n "$exists" ] && [ -n "$ask_secrets" ]; then
    put_secrets
    exit 0
fi

# ---------------------------------------------------------------- build

if [ -n "$builds" ]; then
    make -C "$here" sam-build ARCHITECTURE="$architecture"
    template=$here/.aws-sam/build/template.yaml
    check_build "$template"
else
    template=$asked_template
fi

# ---------------------------------------------------------------- wait for the certificate

if [ "$certificate_state" != ISSUED ]; then
    step "等待证书签发" "Waiting for the certificate"
    # Half an hour: what is not issued then has a reason that waiting does not mend.
    deadline=$((SECONDS + 1800))
    while :; do
        certificate_state=$(certificate_status)
        case "$certificate_state" in
            ISSUED) break ;;
            PENDING_VALIDATION) ;;
            *) fail "证书没有签发（${certificate_state}）。请在 ACM 控制台查看原因，删除它之后再运行一次：$certificate" \
                "The certificate was not issued ($certificate_state). ACM's console says why; delete it and run this again: $certificate" ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] || fail "
证书半小时仍未签发。请检查域名是否真的使用托管区域 ${zone}（域名服务商处的 NS 记录），然后再运行一次，会从这里继续。" "
The certificate is not issued after half an hour. Does the domain really use the hosted zone $zone (NS records where the domain was bought)? Then run this again: it goes on from here."
        printf '.'
        sleep "$pause"
    done
    say " 已签发" " issued"
fi
keep CertificateArn "$certificate"
remember

# ---------------------------------------------------------------- deploy

step "上传到存储桶 $bucket" "Uploading into the bucket $bucket"
# The name can be guessed, so whoever owns the bucket is looked at before anything goes into it.
if ! call s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null; then
    grep -Eq '404|NoSuchBucket|Not Found' "$temporary/error" || fail "存储桶 $bucket 不属于这个 AWS 账户，或没有权限；请用 --bucket 指定另一个。" \
        "The bucket $bucket is not this account's, or not allowed to you; name another by --bucket."
    location=()
    if [ "$region" != us-east-1 ]; then location=(--create-bucket-configuration "LocationConstraint=$region"); fi
    must s3api create-bucket --bucket "$bucket" "${location[@]+"${location[@]}"}" >/dev/null
    must s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
fi
must cloudformation package --template-file "$template" --s3-bucket "$bucket" --s3-prefix "$stack" \
    --output-template-file "$temporary/packaged.yaml" >/dev/null
change_set=deploy-$(date -u +%Y%m%dT%H%M%SZ)
must s3api put-object --bucket "$bucket" --key "$stack/$change_set.template" --body "$temporary/packaged.yaml" \
    --query ETag >/dev/null

# What was said or answered now is passed on, what the stack has stays, and the rest is the template's defaults.
{
    separator='['
    for name in $known; do
        lookup "$name" || continue
        if ! is_given "$name" && is_stored "$name" "$REPLY"; then
            printf '%s{"ParameterKey":"%s","UsePreviousValue":true}' "$separator" "$name"
        else
            printf '%s{"ParameterKey":"%s","ParameterValue":%s}' "$separator" "$name" "$(quoted "$REPLY")"
        fi
        separator=,
    done
    printf ']'
} >"$temporary/parameters.json"

type=CREATE
if [ -n "$exists" ]; then type=UPDATE; fi
must cloudformation create-change-set --stack-name "$stack" --change-set-name "$change_set" --change-set-type "$type" \
    --template-url "https://s3.$region.$suffix/$bucket/$stack/$change_set.template" \
    --parameters "file://$temporary/parameters.json" --capabilities CAPABILITY_IAM --query Id >/dev/null
while :; do
    state=$(must cloudformation describe-change-set --stack-name "$stack" --change-set-name "$change_set" \
        --query '[Status,StatusReason]')
    reason=${state#*$'\t'}
    state=${state%%$'\t'*}
    case "$state" in
        CREATE_PENDING | CREATE_IN_PROGRESS) sleep 1 ;;
        *) break ;;
    esac
done
changes=''
if [ "$state" = CREATE_COMPLETE ]; then
    changes=$(must cloudformation describe-change-set --stack-name "$stack" --change-set-name "$change_set" \
        --query 'Changes[].ResourceChange.[Action,Replacement,LogicalResourceId,ResourceType]')
    total=$(printf '%s\n' "$changes" | grep -c . || true)
    if [ -n "$exists" ]; then
        step "变更 $total 项" "Changing $total resources"
        printf '%s\n' "$changes" | awk -F '\t' '{
            mark = $1 == "Add" ? "+" : $1 == "Remove" ? "-" : $2 == "True" ? "!" : "~"
            print "  " mark " " $3 " (" $4 ")" }'
    else
        step "建立 $total 项资源，需要几分钟" "Making $total resources; this takes some minutes"
    fi
    # Without it, what the stack did before would pass for this deployment.
    seen=$(newest_event must "$stack")
    must cloudformation execute-change-set --stack-name "$stack" --change-set-name "$change_set"
    trap 'printf "\n"; say "AWS 上的部署仍在继续；再运行一次就能接着看。" "The deployment goes on in AWS; run this again to follow it."; exit 130' INT TERM
    # It begins a moment after it was told to.
    while :; do
        if newest=$(newest_event call "$stack"); then
            unanswered=0
            [ "$newest" = "$seen" ] || break
            sleep 1
        else
            not_answered
        fi
    done
    follow "$stack" "$total"
    trap 'exit 130' INT TERM
    case "$STATUS" in
        CREATE_COMPLETE | UPDATE_COMPLETE) ;;
        *) fail "部署没有成功，AWS 已退回（${STATUS}）。原因：
  $first_failure
改正之后再运行一次。" "The deployment failed and AWS rolled it back ($STATUS). The reason:
  $first_failure
Correct that and run this again." ;;
    esac
    say "已部署（${STATUS}）。" "Deployed ($STATUS)."
else
    call cloudformation delete-change-set --stack-name "$stack" --change-set-name "$change_set" >/dev/null || true
    case "$reason" in
        *"didn't contain changes"* | *"No updates are to be performed"*) say "没有变更。" "Nothing to change." ;;
        *) fail "AWS 没有接受这次部署：
$reason" "AWS did not take the deployment:
$reason" ;;
    esac
fi

# ---------------------------------------------------------------- put the secrets

outputs=$(must cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]')
output() { printf '%s\n' "$outputs" | awk -F '\t' -v key="$1" '$1 == key { print $2 }'; }

secret_arn=$(output AppSecretsArn)
put_secrets

# From here on the stack is the memory of the answers.
rm -f "$answers"
rmdir .deploy 2>/dev/null || true

# ---------------------------------------------------------------- what only a person can do

# Whoever runs one of these next may be in another shell, or have another region there: so all is said that names the stack.
where="--region $(word "$region")"
as=${profile:+ --profile $(word "$profile")}
named=''
if [ "$stack" != wechat-login ]; then named=" --stack-name $(word "$stack")"; fi
kept=${given_bucket:+ --bucket $(word "$given_bucket")}${given_template:+ --template $(word "$given_template")}
again="bash deploy.sh $where$named$as$kept"
doctor="bash doctor.sh $where --stack-name $(word "$stack")$as"
if [ -f "$here/Makefile" ]; then
    again="make deploy ARGS=$(words_of_make "$where$named$as$kept")"
    doctor="make doctor STACK=$(word "$stack") ARGS=$(words_of_make "$where$as")"
fi
official=$(value OfficialAccountAppId)
website=$(value WebsiteAppId)
file=$(output VerificationFile)
target=$(output DnsTarget)
issuer=$(output Issuer)
address=$(output EgressAddress)
# Of an address that the stack did not make, only its allocation is known to the stack.
allocation=$(value EgressAllocationId)
if [ -z "$address" ] && [ -n "$allocation" ]; then
    address=$(call ec2 describe-addresses --allocation-ids "$allocation" --query 'Addresses[0].PublicIp' || true)
    case "$address" in '' | None) address=$(pick "弹性 IP $allocation" "the Elastic IP of $allocation") ;; esac
fi

step "还要做的事" "What is left"
if [ -n "$missing" ]; then
    say "
AppSecret：还缺$missing 的。在终端里运行 ${again}，会提示输入。" "
App secrets: those of$missing are missing. Run $again at a terminal; it asks for them."
fi
if [ -n "$moves" ]; then
    say "
域名已从 $known_domain 换成 ${domain}：所有用户都要重新登录${issuer:+；OpenID Connect 的签发者变成 ${issuer}，各个应用和网关都要改}。
  原来的域名怎么办，见 docs/zh-CN/guide/upgrade.md。" "
Moved from $known_domain to $domain: everybody has to log in again${issuer:+; the issuer is $issuer now, which every client and gateway has to be told}.
  What becomes of the old domain: docs/en/guide/upgrade.md."
fi
if [ -n "$target" ]; then
    say "
DNS：在域名服务商处添加一条 CNAME 记录
  主机记录  $domain
  记录值    $target" "
DNS: add a CNAME record where the domain is kept
  Name   $domain
  Value  $target"
fi
if [ -n "$official" ]; then
    say "
服务号 ${official}：登录微信公众平台 mp.weixin.qq.com
  设置与开发 → 账号设置 → 功能设置 → 网页授权域名" "
Official Account $official: WeChat Official Accounts Platform, 微信公众平台, mp.weixin.qq.com
  设置与开发 → 账号设置 → 功能设置 → 网页授权域名"
    if [ -n "$file" ]; then
        say "  先打开 ${file}，看到文件内容之后，
  再填写：$domain" "  Open $file first; when it shows the file,
  enter: $domain"
    else
        say "  页面会先提供文件 MP_verify_….txt：下载到当前目录，再运行一次 ${again}（会自动带上它），
  然后填写：$domain" "  It offers a file, MP_verify_….txt: download it into this directory and run $again once more, which takes it along.
  Then enter: $domain"
    fi
fi
if [ -n "$website" ]; then
    say "
网站应用 ${website}：登录微信开放平台 open.weixin.qq.com
  管理中心 → 网站应用 → 详情 → 授权回调域
  填写：$domain" "
Website app $website: WeChat Open Platform, 微信开放平台, open.weixin.qq.com
  管理中心 → 网站应用 → 详情 → 授权回调域
  Enter: $domain"
fi
if [ -n "$address" ]; then
    say "
API IP 白名单：登录微信开发者平台 developers.weixin.qq.com/platform
  我的业务 → 服务号 → 基础信息
  填写：$address" "
API IP allow-list, API IP 白名单: WeChat developer platform, developers.weixin.qq.com/platform
  我的业务 → 服务号 → 基础信息
  Enter: $address"
fi
say "
第一次登录：把下面的链接在微信里发给自己，点开；再用电脑浏览器打开一次
  https://$domain/authorize" "
First login: send yourself this link in WeChat and open it there; then open it in a desktop browser
  https://$domain/authorize"
say "
有不对的地方？运行下面的命令，它会检查并说明怎么办。
  $doctor" "
Something wrong? This looks at all of it and says what to do.
  $doctor"

exit 0
}
