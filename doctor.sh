#!/usr/bin/env bash
# Asks the doctor of a deployed stack what is wrong with it, with the AWS CLI alone, and prints what it says; in a
# checkout, `make doctor` runs it. What is said is the doctor's own page: functions/doctor.
#
# It ends with 0, with 1 if something is wrong, and with 2 if the doctor did not answer.
# It runs on the bash 3.2 of macOS: `.ci/bash32` looks at it.

set -euo pipefail

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
    zh*) language=zh-CN ;;
    *) language=en ;;
esac

# Each text is given twice, in Chinese and in English.
say() { if [ "$language" = zh-CN ]; then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi; }
fail() { say "$1" "$2" >&2; exit 2; }

usage() {
    say "用法：doctor.sh [选项]

检查已部署的微信登录：参数、AppSecret、微信的页面、域名、证书、网页、数据表、时钟、告警，并说明怎么办。
没有问题时退出状态为 0，有误时为 1，doctor 没有响应时为 2。

选项：
      --stack-name <名称>    堆栈名 [默认：wechat-login]
      --region <区域>        AWS 区域 [默认：AWS CLI 的设置]
      --profile <名称>       AWS CLI 的配置名
      --language <zh-CN|en>  语言 [默认：终端的语言]
      --json                 原样输出 JSON，两种语言
  -h, --help                 显示本说明" "Usage: doctor.sh [OPTIONS]

Looks at a deployed login with WeChat: parameters, app secrets, WeChat's pages, domain, certificate, your pages, tables,
clock and alarms, and says what puts right what is wrong. Its exit status is 0, 1 if something is wrong, 2 if the doctor
did not answer.

Options:
      --stack-name <NAME>     The stack [default: wechat-login]
      --region <REGION>       The AWS region [default: what the AWS CLI is set to]
      --profile <NAME>        The AWS CLI's profile
      --language <zh-CN|en>   [default: the terminal's]
      --json                  The answer as it is, in both languages
  -h, --help                  Print this help"
}

stack=wechat-login
region=''
json=''
invoker=()

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
        --stack-name | --region | --profile | --language)
            [ $# -gt 0 ] && [ -n "$1" ] || fail "$option 后面要有值。" "$option needs a value."
            ;;
    esac
    case "$option" in
        --stack-name) stack=$1; shift ;;
        --region) region=$1; shift ;;
        --profile) export AWS_PROFILE=$1; shift ;;
        --language)
            case "$1" in zh-CN | en) ;; *) fail "语言是 zh-CN 或 en。" "The language is zh-CN or en." ;; esac
            language=$1
            shift
            ;;
        --json) json=1 ;;
        -h | --help) usage; exit 0 ;;
        # `make doctor` without a stack: a command that takes the event as its last argument and prints the answer.
        --invoker) invoker=("$@"); break ;;
        *) fail "没有选项 ${option}，见 --help。" "There is no option $option; see --help." ;;
    esac
done

event="{\"as\":\"text\",\"language\":\"$language\"}"
if [ -n "$json" ]; then event='{}'; fi

temporary=$(mktemp -d "${TMPDIR:-/tmp}/doctor.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
complaint() { awk 'NF' "$temporary/error" | tail -n 3; }

if [ ${#invoker[@]} -gt 0 ]; then
    "${invoker[@]+"${invoker[@]}"}" "$event" >"$temporary/answer" 2>"$temporary/error" ||
        fail "doctor 没有响应；请先运行 make run；若它用的是其他端口，请加上同样的 PORT=端口。" \
            "The doctor did not answer. Start \`make run\` first; if it runs on another port, name it here too: PORT=…"
else
    command -v aws >/dev/null || fail \
        "找不到 AWS CLI（aws）。安装方法：https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" \
        "There is no AWS CLI (aws). How to install it: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    export AWS_PAGER=''
    if [ -n "$region" ]; then export AWS_REGION=$region AWS_DEFAULT_REGION=$region; fi
    name=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='DoctorFunctionName'].OutputValue" 2>"$temporary/error") ||
        fail "读取堆栈 $stack 失败；请检查堆栈名和区域。
$(complaint)" "The stack $stack could not be read. Look at its name and at the region.
$(complaint)"
    case "$name" in
        '' | None) fail "堆栈 $stack 没有 doctor；请先升级它。" "The stack $stack has no doctor; update it first." ;;
    esac
    # A file of bytes, which both versions of the AWS CLI take as it is.
    printf '%s' "$event" >"$temporary/event"
    error=$(aws lambda invoke --function-name "$name" --payload "fileb://$temporary/event" --cli-read-timeout 70 \
        --output text --query FunctionError "$temporary/answer" 2>"$temporary/error") ||
        fail "doctor 没有响应：
$(complaint)" "The doctor did not answer:
$(complaint)"
    case "$error" in
        '' | None) ;;
        *) fail "doctor 出错（${error}）：$(head -c 2000 "$temporary/answer")" \
            "The doctor failed ($error): $(head -c 2000 "$temporary/answer")" ;;
    esac
fi

answer=$(cat "$temporary/answer")
# With blanks or without, as whoever passes it on writes JSON.
blank='[[:space:]]*'
worst_of_json="\"worst\"$blank:$blank\"(ok|note|wrong)\""
page_of_json="^$blank\{$blank\"text\"$blank:$blank\"(.*)\"$blank,$blank$worst_of_json$blank\}$blank\$"
if [ -n "$json" ]; then
    [[ $answer =~ $worst_of_json ]] || fail "这不是 doctor 的结果：$answer" "This is no answer of the doctor's: $answer"
    worst=${BASH_REMATCH[1]}
    printf '%s\n' "$answer"
else
    [[ $answer =~ $page_of_json ]] ||
        fail "这不是 doctor 的结果；堆栈的版本可能较旧，请先升级它：$answer" \
            "This is no answer of the doctor's. If the stack is of an older version, update it first: $answer"
    worst=${BASH_REMATCH[2]}
    # What is escaped in a JSON string, `%b` reads as JSON does, but for quotation marks.
    page=${BASH_REMATCH[1]}
    page=${page//\\\"/\"}
    page=$(printf '%b' "$page")
    if [ -t 1 ]; then
        printf '%s\n' "$page" | awk '
            /^✗/ { print "\033[31m" $0 "\033[0m"; next }
            /^•/ { print "\033[33m" $0 "\033[0m"; next }
            /^✓/ { print "\033[32m" $0 "\033[0m"; next }
            { print }'
    else
        printf '%s\n' "$page"
    fi
fi
[ "$worst" != wrong ] || exit 1
