//! Everything that the doctor can find, and what it says of it.
//!
//! One row for each finding, in the order of the reference page, which is written from here. What was found this time,
//! of which app, address or table, is in a [`Found`]; `{detail}` in a row is where the rest of it goes. What a row says
//! is said to whoever deploys: what was seen, and what puts it right.

use std::fmt::Display;

use serde_json::{Map, Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Nothing to do at once; that something could not be told is one of these.
    Note,
    /// Somebody cannot log in, or will not be able to.
    Wrong,
}

impl Severity {
    /// All of them, the worst last.
    const ALL: [Self; 3] = [Self::Ok, Self::Note, Self::Wrong];

    /// Its name in an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }

    /// How a person is told of it, in English and in Chinese.
    const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Ok => ["ok", "正常"],
            Self::Note => ["note", "提示"],
            Self::Wrong => ["wrong", "有误"],
        }
    }

    /// What a line begins with.
    const fn mark(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Note => '•',
            Self::Wrong => '✗',
        }
    }
}

/// What is said of a finding.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name in an answer.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, in English and in Chinese.
    pub saw: [&'static str; 2],
    /// What puts it right, in English and in Chinese; empty if nothing has to be done.
    pub remedy: [&'static str; 2],
}

macro_rules! findings {
    ($($finding:ident = $severity:ident $name:literal
        [$english:literal $(, $remedy:literal)?]
        [$chinese:literal $(, $chinese_remedy:literal)?];)*) => {
        /// A thing that can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Finding {
            $(#[doc = $english] $finding,)*
        }

        impl Finding {
            /// All of them, in the order of the reference page.
            pub const ALL: &[Self] = &[$(Self::$finding),*];

            /// What is said of it.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$finding => Row {
                        name: $name,
                        severity: Severity::$severity,
                        saw: [$english, $chinese],
                        remedy: [concat!($($remedy)?), concat!($($chinese_remedy)?)],
                    },)*
                }
            }
        }
    };
}

findings! {
    ConfigurationRight = Ok "configuration_right"
        ["Every function accepts its settings"]
        ["各函数的设置均有效"];
    ConfigurationWrong = Wrong "configuration_wrong"
        ["A setting is missing or wrong: {detail}", "Correct the parameter of the template, and deploy again"]
        ["设置缺失或有误：{detail}", "改正模板参数后重新部署"];

    SecretsUnreadable = Wrong "secrets_unreadable"
        ["Secrets Manager did not give the secret: {detail}", "`ResourceNotFoundException`: check the ARN. `AccessDeniedException`: a key of your own has to let the functions decrypt; a secret of your own has to be in this region. `Timeout` or `DispatchFailure`: the network has no way out"]
        ["无法读取 Secrets Manager 密钥：{detail}", "`ResourceNotFoundException`：检查 ARN；`AccessDeniedException`：自有的加密密钥必须允许函数解密，Secrets Manager 密钥须在本区域；`Timeout`、`DispatchFailure`：网络没有出口"];
    SecretsMalformed = Wrong "secrets_malformed"
        ["What Secrets Manager holds isn't a JSON object of appids and secrets", "Put `{\"appid\":\"secret\"}` into it, with the command in the output `PutAppSecrets`"]
        ["Secrets Manager 中的内容不是 AppID 到 AppSecret 的 JSON 对象", "用输出 `PutAppSecrets` 里的命令写入 `{\"AppID\":\"AppSecret\"}`"];
    SecretMissing = Wrong "secret_missing"
        ["There is no secret for this appid", "Put the app secret of this app into the secret, beside the others"]
        ["没有这个 AppID 的 AppSecret", "把这个应用的 AppSecret 与其他应用的一起写入 Secrets Manager 密钥"];
    SecretMisshapen = Wrong "secret_misshapen"
        ["The secret isn't 32 hexadecimal digits, so it isn't an app secret; WeChat was not asked", "Copy the app secret again; if it was lost, reset it on the WeChat developer platform (Official Account) or the WeChat Open Platform (website app)"]
        ["这个值不是 32 位十六进制字符，不是 AppSecret；没有向微信查询", "重新复制 AppSecret；若已丢失，在微信开发者平台（服务号）或微信开放平台（网站应用）重置"];
    SecretAccepted = Ok "secret_accepted"
        ["WeChat accepts appid and app secret, as far as its order of checks is known: it refused only the made-up code"]
        ["微信接受 AppID 与 AppSecret（就已知的检查顺序而言）：被拒绝的只是编造的 code"];
    SecretWrong = Wrong "secret_wrong"
        ["WeChat says that the app secret is wrong (errcode {detail})", "Put the current app secret into Secrets Manager; the one before a reset stops at once. Functions that run take it up by themselves"]
        ["微信称 AppSecret 错误（errcode {detail}）", "把当前的 AppSecret 写入 Secrets Manager（重置后旧的立即失效）；运行中的函数会自动读取"];
    SecretFrozen = Wrong "secret_frozen"
        ["WeChat says that the app secret is frozen (errcode 40243)", "Unfreeze it on the WeChat developer platform; that takes some 10 minutes"]
        ["微信称 AppSecret 已冻结（errcode 40243）", "在微信开发者平台解冻，约 10 分钟后生效"];
    AppUnknown = Wrong "app_unknown"
        ["WeChat knows no app with this appid (errcode 40013, or `AppID 参数错误`)", "Correct the appid in the template's parameters: it begins with `wx`, and is neither the original ID `gh_…` nor a mini program's"]
        ["微信没有这个 AppID（errcode 40013，或“AppID 参数错误”）", "改正模板参数里的 AppID：以 `wx` 开头，不是原始 ID `gh_…`，也不是小程序的"];
    AddressRefused = Wrong "address_refused"
        ["WeChat refuses the address that the call came from: {detail}", "Add this address to the API IP allow-list (API IP 白名单): 微信开发者平台 → 我的业务 → 服务号 → 基础信息. Without `FixedAddress` it changes"]
        ["微信拒绝了发出请求的出口 IP：{detail}", "把这个 IP 加入 API IP 白名单：微信开发者平台 → 我的业务 → 服务号 → 基础信息。未启用 `FixedAddress` 时出口 IP 会变"];
    WechatRefuses = Wrong "wechat_refuses"
        ["WeChat refuses with errcode {detail}", "Look the number up under \"WeChat's error codes\" in the reference"]
        ["微信返回 errcode {detail}", "在参考“微信错误码”中查找处理方法"];
    WechatSilent = Note "wechat_silent"
        ["Could not tell: WeChat gave no usable answer ({detail})", "Ask again in a minute; if nothing changes, look whether WeChat itself works"]
        ["无法判断：微信没有给出有效的响应（{detail}）", "一分钟后再试；如果一直如此，查看微信本身是否正常"];
    WechatUnreachable = Wrong "wechat_unreachable"
        ["No connection to WeChat could be made", "With `FixedAddress`, look at the NAT gateway and the routes of its network; otherwise ask again in a minute"]
        ["无法连接微信", "启用 `FixedAddress` 时检查 NAT 网关和路由；否则一分钟后再试"];

    ComponentTokenMissing = Wrong "component_token_missing"
        ["There is no token of the third-party platform", "Let the system that keeps it write `component_access_token` into the secret of `ComponentTokensArn`"]
        ["没有第三方平台的 component_access_token", "由保存它的系统写入 `ComponentTokensArn` 指向的 Secrets Manager 密钥"];
    ComponentTokenRefused = Wrong "component_token_refused"
        ["WeChat no longer takes the third-party platform's token (errcode {detail})", "See the system that renews it: it lives two hours"]
        ["微信不再接受第三方平台的 component_access_token（errcode {detail}）", "检查负责刷新它的系统：有效期为两小时"];
    ComponentUnauthorized = Wrong "component_unauthorized"
        ["The Official Account hasn't authorized the third-party platform (errcode 61003, or page 10015)", "Let the account's administrator scan the platform's authorization page"]
        ["服务号没有授权给第三方平台（errcode 61003，或页面 10015）", "由服务号管理员扫描平台的授权页重新授权"];
    ComponentAccepted = Ok "component_accepted"
        ["WeChat takes the third-party platform's token for this account: it refused only the made-up code"]
        ["微信接受第三方平台代这个服务号的调用：被拒绝的只是编造的 code"];

    GlobalTokenGiven = Ok "global_token_given"
        ["WeChat gives the global access token to this address; the live one stays what it is"]
        ["微信向这个出口 IP 提供全局 access_token；正在使用的不受影响"];

    SilentUnionidIdle = Note "silent_unionid_idle"
        ["`SilentUnionid` has no effect: only a silent login of an Official Account that has its own app secret here asks for the unionid, and there is none", "Leave `SilentUnionid` out, and `FixedAddress` too if nothing else needs it. The QR code brings the unionid without it; an Official Account that a third-party platform acts for brings it with `scope=snsapi_userinfo`"]
        ["`SilentUnionid` 不起作用：静默授权时，只有在这里使用自己的 AppSecret 的服务号会查询 unionid，而这里没有这样的服务号", "去掉 `SilentUnionid`；`FixedAddress` 没有其他用途时也一并去掉。扫码登录本来就有 unionid；由第三方平台代它调用接口的服务号，用 `scope=snsapi_userinfo` 获取"];

    PageAccepts = Ok "page_accepts"
        ["WeChat's page accepts appid, domain and scope"]
        ["微信的页面接受 AppID、域名和授权范围"];
    PageDomain = Wrong "page_domain"
        ["WeChat's page says that the callback isn't on the registered domain ({detail})", "Official Account: enter the domain under 网页授权域名 (微信公众平台 → 设置与开发 → 账号设置 → 功能设置). Website app: under 授权回调域 (微信开放平台 → 管理中心 → 网站应用 → 详情). Without `https://`"]
        ["微信的页面提示回调不在登记的域名上（{detail}）", "服务号：填入“网页授权域名”（微信公众平台 → 设置与开发 → 账号设置 → 功能设置）；网站应用：填入“授权回调域”（微信开放平台 → 管理中心 → 网站应用 → 详情）。不带 `https://`"];
    PageScheme = Wrong "page_scheme"
        ["WeChat's page says that the callback's scheme isn't the registered one (10039)", "Register the domain for `https`, or without a scheme"]
        ["微信的页面提示回调的协议与后台配置不一致（10039）", "按 `https` 登记域名，或不带协议"];
    PageScope = Wrong "page_scope"
        ["WeChat's page says that the app lacks the scope, or is of the other kind ({detail})", "Inside WeChat it has to be a verified Official Account (服务号), for the QR code a website app (网站应用) that passed the review; check that the two appids are not exchanged"]
        ["微信的页面提示应用没有 scope 权限，或类型不符（{detail}）", "微信内登录需要已认证的服务号，扫码登录需要已通过审核的网站应用；检查两个 AppID 是否填反"];
    PageAppKind = Wrong "page_app_kind"
        ["WeChat's page says that this appid is the Open Platform's (10016): a website app's stands where the Official Account's belongs", "Exchange the two appids in the template's parameters"]
        ["微信的页面提示这是微信开放平台的 AppID（10016）：服务号的位置填了网站应用的 AppID", "在模板参数中对调两个 AppID"];
    PageBanned = Wrong "page_banned"
        ["WeChat's page says that the account is banned (10004)", "Read the notices of the account on the WeChat Official Accounts Platform"]
        ["微信的页面提示账号已被封禁（10004）", "查看微信公众平台的通知"];
    PageFollowers = Note "page_followers"
        ["A test account: only its followers can log in (10006)", "Let everybody who tests follow it first"]
        ["这是测试号：只有关注者可以登录（10006）", "测试的人先关注它"];
    PageRefuses = Wrong "page_refuses"
        ["WeChat's page shows the error {detail}", "Look the number up under \"WeChat's error codes\" in the reference"]
        ["微信的页面显示错误 {detail}", "在参考“微信错误码”中查找处理方法"];
    PageUnclear = Note "page_unclear"
        ["Could not tell: WeChat's page says nothing to a program", "Open the login once inside WeChat, or the QR code once on a computer"]
        ["无法判断：微信的页面没有向程序透露结果", "在微信里打开一次登录页，或在电脑上打开一次二维码"];

    DomainAnswers = Ok "domain_answers"
        ["The domain answers with this version ({detail})"]
        ["域名返回的正是这个版本（{detail}）"];
    DomainUnresolved = Wrong "domain_unresolved"
        ["The domain has no address in DNS", "Point it at the output `DnsTarget` (an alias, or a CNAME record), and wait for the DNS"]
        ["域名没有 DNS 解析记录", "把它指向输出 `DnsTarget`（别名或 CNAME 记录），等待 DNS 生效"];
    DomainUnreachable = Wrong "domain_unreachable"
        ["The domain has an address, and gives no answer", "Look where its DNS record points: it has to be the output `DnsTarget`"]
        ["域名有解析记录，但没有响应", "检查 DNS 记录：应指向输出 `DnsTarget`"];
    DomainForeign = Wrong "domain_foreign"
        ["Something else answers on this domain: its home page has no `x-version`", "Point the domain's DNS record at the output `DnsTarget`, and take away what stands before it"]
        ["这个域名上是别的服务：首页没有 `x-version`", "把 DNS 记录指向输出 `DnsTarget`，去掉前面的其他服务"];
    DomainOtherVersion = Wrong "domain_other_version"
        ["Another version answers on this domain: {detail}", "The domain is another stack's, or only a part was deployed: build everything, and deploy again"]
        ["这个域名上是另一个版本：{detail}", "域名属于另一个堆栈，或只部署了一部分：全部构建后重新部署"];
    DomainFails = Wrong "domain_fails"
        ["The home page answers with HTTP status {detail}", "Look into the log of `site`: `wrong_configuration` names the setting"]
        ["首页返回 HTTP 状态码 {detail}", "查看 `site` 的日志：`wrong_configuration` 会指出有误的设置"];
    DomainNotAsked = Note "domain_not_asked"
        ["Could not tell what else is served (verification files, other origins, a provider's keys), since the domain doesn't answer as it should", "Repair the domain first, then ask again"]
        ["域名没有正常响应，无法判断校验文件、其他源和公布的签名密钥是否可用", "先解决域名的问题，再检查一次"];

    CertificateGood = Ok "certificate_good"
        ["The certificate is good for another {detail} days"]
        ["证书还有 {detail} 天到期"];
    CertificateEndsSoon = Note "certificate_ends_soon"
        ["The certificate ends in {detail} days and hasn't been renewed", "AWS renews it if its DNS record for validation is still there: look at it in Certificate Manager"]
        ["证书 {detail} 天后到期，尚未更新", "验证用的 DNS 记录还在时，AWS 会自动更新证书：请在 Certificate Manager 中查看"];
    CertificateExpired = Wrong "certificate_expired"
        ["The certificate has expired, or isn't valid yet", "Put its DNS record for validation back, or choose another certificate by `CertificateArn`"]
        ["证书已过期或尚未生效", "恢复验证用的 DNS 记录，或用 `CertificateArn` 换一张证书"];
    CertificateOfAnother = Wrong "certificate_of_another"
        ["The certificate is for another name", "Point the DNS record at the output `DnsTarget`; `CertificateArn` has to name a certificate for this domain"]
        ["证书不属于这个域名", "把 DNS 记录指向输出 `DnsTarget`；`CertificateArn` 必须是这个域名的证书"];
    CertificateUntrusted = Wrong "certificate_untrusted"
        ["The certificate comes from nobody that browsers trust", "Use one of AWS Certificate Manager, and nothing between the domain and API Gateway"]
        ["证书的颁发者不受浏览器信任", "使用 AWS Certificate Manager 的证书，域名与 API Gateway 之间不要有其他设备"];
    CertificateNone = Note "certificate_none"
        ["There is no certificate to look at: `PUBLIC_URL` is plain `http` on this machine"]
        ["没有可检查的证书：`PUBLIC_URL` 是本机的 `http`"];

    VerificationServed = Ok "verification_served"
        ["The verification file is served as it is configured"]
        ["校验文件与配置一致"];
    VerificationWrong = Wrong "verification_wrong"
        ["The verification file isn't served as it is configured (HTTP status {detail})", "Deploy again; nothing else may answer on this domain"]
        ["校验文件与配置不一致（HTTP 状态码 {detail}）", "重新部署；这个域名上不能有别的服务"];
    VerificationNone = Note "verification_none"
        ["No verification file is configured", "If the Official Accounts Platform asks for one, give it as `SiteVerification`, `name=content`"]
        ["没有配置校验文件", "如果微信公众平台要求，填入 `SiteVerification`：`文件名=内容`"];

    OriginAllowed = Ok "origin_allowed"
        ["Scripts of this origin may ask who is logged in: the preflight was answered as browsers want it"]
        ["这个源的脚本可以查询登录状态：预检请求得到了浏览器要求的响应"];
    OriginRefused = Wrong "origin_refused"
        ["The preflight of this origin was not answered as browsers want it (HTTP status {detail})", "Deploy again; CORS may be configured neither in API Gateway nor in anything before it"]
        ["这个源的预检请求没有得到浏览器要求的响应（HTTP 状态码 {detail}）", "重新部署；API Gateway 和它前面的服务都不要配置 CORS"];
    OriginSameSite = Ok "origin_same_site"
        ["This origin is of one site with the login, so browsers send the cookie"]
        ["这个源与登录服务属于同一个网站，浏览器会带上 Cookie"];
    OriginForeign = Wrong "origin_foreign"
        ["This origin is of another site than the login by the Public Suffix List, so browsers send no cookie from there", "Give the login a domain below the same registrable domain, such as `auth.example.com` for `www.example.com`"]
        ["按公共后缀列表，这个源与登录服务不属于同一个网站，浏览器不会带上 Cookie", "让登录服务使用同一个可注册域名下的子域名，例如 `www.example.com` 对应 `auth.example.com`"];

    DiscoveryRight = Ok "discovery_right"
        ["Discovery is served as the settings give it, at both addresses"]
        ["OpenID Connect 发现文档在两个网址上都与设置一致"];
    DiscoveryWrong = Wrong "discovery_wrong"
        ["Discovery isn't as gateways and libraries want it: {detail}", "A number is the HTTP status, `Timeout` more than 1.5 seconds, everything else what differs. After an upgrade, what stands before the login may keep the old document for an hour: ask again then. Otherwise deploy again; nothing else may answer on this domain, or change what it answers"]
        ["OpenID Connect 发现文档不符合网关和库的要求：{detail}", "数字是 HTTP 状态码，`Timeout` 是超过 1.5 秒，其他是不一致的内容。升级后，前面的缓存最多一小时仍返回旧的文档，届时再检查；其他情况重新部署；这个域名上不能有别的服务，也不能改动它的响应"];
    KeysUnreadable = Wrong "keys_unreadable"
        ["The keys that verify tokens can't be read: {detail}", "503: look into the log of `token`, `signing_unavailable` or the line `the function cannot work` says why. `Timeout`: they took more than 1.5 seconds, ask again. Otherwise deploy again"]
        ["无法读取用于验证的公开签名密钥：{detail}", "503：查看 `token` 的日志，`signing_unavailable` 或 `the function cannot work` 那一行会说明原因；`Timeout`：超过 1.5 秒，再检查一次；其他情况重新部署"];
    KeyUnpublished = Wrong "key_unpublished"
        ["The key that signs isn't among the published ones, so every token is refused", "After a change of `SigningKeys`, functions that run may know the old keys for 15 minutes, and what stands before the login may keep the old set for an hour: ask again then. If nothing has changed, deploy again"]
        ["正在使用的签名密钥没有公布，签发的 JWT 都会被拒绝", "更换 `SigningKeys` 后，运行中的函数最多 15 分钟仍使用旧的，前面的缓存最多一小时仍返回旧的，届时再检查；如果一直如此，重新部署"];
    KeyTwice = Wrong "key_twice"
        ["Two published keys have this name, so libraries refuse what either has signed", "Something else answers at `/.well-known/jwks.json`, or changes what is answered there: take it away, and look who made it"]
        ["公布的签名密钥中有两个同名，库会因此拒绝它们签发的 JWT", "`/.well-known/jwks.json` 上是别的服务，或响应被改动：去掉它，并查明是谁放的"];
    SignatureVerifies = Ok "signature_verifies"
        ["A signature of the last five minutes verifies with the published key"]
        ["最近五分钟内生成的签名可以用公布的签名密钥验证"];
    SignatureForeign = Wrong "signature_foreign"
        ["A signature doesn't verify with the published key of that name", "Something else answers at `/.well-known/jwks.json`, or changes what is answered there: take it away, and look who made it"]
        ["签名无法用公布的同名签名密钥验证", "`/.well-known/jwks.json` 上是别的服务，或响应被改动：去掉它，并查明是谁放的"];
    SignatureUnseen = Note "signature_unseen"
        ["Could not tell whether tokens can be signed, since the key set came without a new signature: {detail}", "A number is the HTTP status, `Timeout` more than 5 seconds: ask again. `signature-input`: something before the login keeps `/.well-known/jwks.json` for everybody, or lets `Accept-Signature` not in or `Signature` not out. `created`: it keeps the signature, which is more than 5 minutes old"]
        ["无法判断 JWT 能否签发：公钥没有带回新的签名（{detail}）", "数字是 HTTP 状态码，`Timeout` 是超过 5 秒：再检查一次；`signature-input`：前面的服务缓存了 `/.well-known/jwks.json`，或没有转发 `Accept-Signature`、`Signature`；`created`：签名超过 5 分钟，来自缓存"];
    SigningFails = Wrong "signing_fails"
        ["No token can be signed", "Look into the log of `token`: the `cause` of `signing_unavailable` says why, or the line `the function cannot work`. `AccessDeniedException`: the key's policy has to leave it to the account's roles, and the key has to be in this region. `DisabledException`, `KMSInvalidStateException`: enable the key. `NotFoundException`: check `SigningKeys`. `Timeout` or `DispatchFailure`: the network has no way out"]
        ["无法签发 JWT", "查看 `token` 的日志：原因见 `signing_unavailable` 的 `cause`，或 `the function cannot work` 那一行。`AccessDeniedException`：签名密钥的策略须交由本账户的角色决定，且须在本区域；`DisabledException`、`KMSInvalidStateException`：启用它；`NotFoundException`：检查 `SigningKeys`；`Timeout`、`DispatchFailure`：网络没有出口"];
    RedirectUnproven = Note "redirect_unproven"
        ["This client's redirect URI proves nobody, for any app on the device can take it: {detail}. People are asked each time", "Where the app can claim an `https` link (Universal Link, App Link), register that instead"]
        ["这个客户端的重定向网址不能证明身份，设备上的任何应用都可以占有：{detail}。因此每次都会询问用户", "应用如能认领 `https` 链接（Universal Link、App Link），改为登记那个链接"];
    SubjectAsks = Note "subject_asks"
        ["`sub` is the unionid, which a silent login inside WeChat doesn't bring: who has never agreed gets no token until they do", "With `SilentUnionid`, and with `FixedAddress`, whose address WeChat wants to know, followers need not be asked; for the others the answer's `upgrade_url` asks. Both take one Open Platform account for all apps"]
        ["`sub` 是 unionid，而微信内静默授权不提供 unionid：从未允许授权的用户，要先允许才能获得 JWT", "启用 `SilentUnionid` 和 `FixedAddress`（出口 IP 要加入 API IP 白名单）后，关注者不必询问；其他用户由响应里的 `upgrade_url` 询问。两者都要求各应用绑定同一个微信开放平台账号"];
    SubjectDiffers = Note "subject_differs"
        ["`sub` is the openid, and there are {detail} apps: one person is another `sub` in each", "If a person is to be the same everywhere, bind the apps to one Open Platform account and let `subject` be `unionid`, before anybody stores a `sub`: it changes for all"]
        ["`sub` 是 openid，而这里有 {detail} 个应用：同一个人在各应用的 `sub` 不同", "如需跨应用识别同一个人，把各应用绑定到同一个微信开放平台账号，`subject` 改为 `unionid`；要在有人保存 `sub` 之前改，因为所有人的 `sub` 都会变"];

    TableRight = Ok "table_right"
        ["The table is there, has the right key, and forgets what is over"]
        ["表存在，主键正确，已启用到期删除"];
    TableMissing = Wrong "table_missing"
        ["There is no such table in this region", "Deploy again; a table that was deleted by hand has to be taken out of the stack first"]
        ["本区域没有这张表", "重新部署；手动删除的表要先从堆栈中移除"];
    TableMisshapen = Wrong "table_misshapen"
        ["The primary key isn't the string `id`, but {detail}", "Let the stack make its own table"]
        ["主键不是字符串 `id`，而是 {detail}", "由堆栈自行建表"];
    TableKeepsEverything = Wrong "table_keeps_everything"
        ["DynamoDB doesn't delete what is over: time to live is off, or not on `expires_at`", "Switch it on for the attribute `expires_at`; until then the table grows, and personal data stays"]
        ["DynamoDB 不会删除到期的数据：TTL 未启用，或属性不是 `expires_at`", "为属性 `expires_at` 启用 TTL；在此之前表会一直增长，个人数据也不会删除"];
    TableUnseen = Note "table_unseen"
        ["Could not tell: DynamoDB did not describe the table ({detail})", "Ask again; `AccessDeniedException` means that the doctor's role was changed"]
        ["无法判断：DynamoDB 没有返回表的描述（{detail}）", "再检查一次；`AccessDeniedException` 表示 doctor 的角色被改动过"];

    ClockRight = Ok "clock_right"
        ["This clock and WeChat's agree"]
        ["本机时钟与微信一致"];
    ClockOff = Wrong "clock_off"
        ["This clock and WeChat's are {detail} seconds apart", "Set the clock of this machine by NTP"]
        ["本机时钟与微信相差 {detail} 秒", "用 NTP 校准本机时钟"];
    ClockUnknown = Note "clock_unknown"
        ["Could not tell whether the clock is right, since no page of WeChat's brought a `Date`", "Ask again in a minute"]
        ["无法判断时钟是否准确：微信的页面没有带回 `Date`", "一分钟后再检查"];

    AlarmsHeard = Ok "alarms_heard"
        ["Alarms reach: {detail}"]
        ["告警会发送到：{detail}"];
    AlarmsUnconfirmed = Wrong "alarms_unconfirmed"
        ["This subscription to the alarms hasn't been confirmed: {detail}", "Open AWS's e-mail and follow the link; if it no longer works, subscribe anew"]
        ["告警订阅尚未确认：{detail}", "打开 AWS 的邮件，点击其中的链接；链接失效时重新订阅"];
    AlarmsUnheard = Wrong "alarms_unheard"
        ["Nobody is subscribed to the alarms' topic", "Subscribe somebody to it, or set `AlarmEmail`"]
        ["告警主题没有任何订阅", "添加订阅，或设置 `AlarmEmail`"];
    AlarmsNone = Note "alarms_none"
        ["The alarms are sent to nobody", "Set `AlarmEmail` or `AlarmTopicArn`"]
        ["告警不会发送给任何人", "设置 `AlarmEmail` 或 `AlarmTopicArn`"];
    AlarmsUnseen = Note "alarms_unseen"
        ["Could not tell who is subscribed to the alarms ({detail})", "Look at the topic in the SNS console; one of another account can't be seen from here"]
        ["无法查看谁订阅了告警（{detail}）", "在 SNS 控制台查看该主题；其他 AWS 账户的主题无法从这里查看"];

    OutOfTime = Note "out_of_time"
        ["Could not tell: this took too long", "Ask again; if nothing changes, look at the network of the functions"]
        ["无法判断：检查超时", "再检查一次；如果一直如此，检查函数的网络"];
}

/// A finding, and what it is about this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was found.
    pub finding: Finding,
    /// Of which app, address, table or setting; never a secret.
    pub subject: String,
    /// What goes into `{detail}`; never a secret.
    pub detail: String,
}

impl Finding {
    /// This, found of a subject.
    #[must_use]
    pub fn of(self, subject: impl Into<String>) -> Found {
        Found { finding: self, subject: subject.into(), detail: String::new() }
    }
}

impl Found {
    /// With what goes into `{detail}`.
    #[must_use]
    pub fn with(self, detail: impl Display) -> Self {
        Self { detail: detail.to_string(), ..self }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.finding.row().severity
    }

    /// As an answer has it, in these languages.
    #[must_use]
    pub fn to_json(&self, languages: &[Language]) -> Value {
        let row = self.finding.row();
        let mut found = Map::from_iter([
            ("finding".to_owned(), row.name.into()),
            ("severity".to_owned(), row.severity.as_str().into()),
            ("subject".to_owned(), self.subject.as_str().into()),
        ]);
        for &language in languages {
            let [saw, remedy] = self.said(language);
            found.insert(language.tag().to_owned(), json!({ "saw": saw, "remedy": remedy }));
        }
        found.into()
    }

    /// What was seen, and what puts it right.
    fn said(&self, language: Language) -> [String; 2] {
        let row = self.finding.row();
        // The functions say what is wrong with a setting in English; everything else is a name or a number.
        let detail = match language {
            Language::Chinese => settings::words::in_chinese(&self.detail),
            Language::English => self.detail.clone(),
        };
        [row.saw, row.remedy].map(|texts| language.of(texts).replace("{detail}", &detail))
    }
}

/// All that was found, as a person reads it at a terminal, in these languages: what is wrong comes last.
#[must_use]
pub fn page(found: &[Found], languages: &[Language]) -> String {
    let words = |severity: Severity| {
        let words: Vec<_> = languages.iter().map(|language| language.of(severity.words())).collect();
        words.join(" · ")
    };
    let of = |severity| found.iter().filter(move |found| found.severity() == severity);
    let block = |found: &Found| {
        let (severity, name) = (found.severity(), found.finding.row().name);
        let mut lines = vec![format!("{} {}   {}   {name}", severity.mark(), words(severity), found.subject)];
        for [saw, remedy] in languages.iter().map(|language| found.said(*language)) {
            lines.push(format!("    {saw}"));
            lines.extend((!remedy.is_empty()).then(|| format!("    → {remedy}")));
        }
        lines.join("\n")
    };
    let counts = Severity::ALL.map(|severity| format!("{} {}", words(severity), of(severity).count()));
    let mut blocks: Vec<_> = Severity::ALL.into_iter().flat_map(of).map(block).collect();
    blocks.push(format!("{}: {}\n", env!("CARGO_PKG_VERSION"), counts.join(", ")));
    blocks.join("\n\n")
}

/// A language of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `zh-CN`.
    Chinese,
    /// `en`.
    English,
}

impl Language {
    /// Both, the one of most readers first.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// Its tag in an answer.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// The one of two texts, which are in English and in Chinese.
    const fn of(self, [english, chinese]: [&'static str; 2]) -> &'static str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_things() {
        let mut names: Vec<_> = Finding::ALL.iter().map(|finding| finding.row().name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Finding::ALL.len());
        for finding in Finding::ALL {
            let Row { name, severity, saw, remedy } = finding.row();
            let has_detail = saw.map(|text| text.contains("{detail}"));
            assert_eq!(has_detail[0], has_detail[1], "{name}");
            assert!(saw.iter().all(|text| !text.is_empty()), "{name}");
            assert_eq!(remedy[0].is_empty(), remedy[1].is_empty(), "{name}");
            assert_eq!(
                severity == Severity::Ok,
                remedy[0].is_empty() && name != "certificate_none",
                "{name}"
            );
            // What could not be told is a note, and says so.
            let is_untold = saw.map(|text| text.contains("ould not tell") || text.contains("无法判断"));
            assert!(!is_untold[0] || severity == Severity::Note, "{name}");
        }
    }

    /// WeChat gives the global token to addresses that it was told of; without `FixedAddress` there is none to tell.
    #[test]
    fn who_is_told_to_ask_for_unionids_is_told_of_the_address() {
        let remedies = Finding::ALL.iter().flat_map(|finding| finding.row().remedy);
        let advice: Vec<_> = remedies.filter(|remedy| remedy.contains("`SilentUnionid`")).collect();
        assert!(
            !advice.is_empty() && advice.iter().all(|remedy| remedy.contains("`FixedAddress`")),
            "{advice:?}"
        );
    }

    #[test]
    fn an_answer_has_the_languages_that_were_asked_for() {
        let found = Finding::SecretWrong.of("wx0000000000000aaa").with(40125);
        let both = found.to_json(&Language::ALL);
        assert_eq!(both["severity"], "wrong");
        for tag in ["zh-CN", "en"] {
            assert!(both[tag]["saw"].as_str().unwrap().contains("40125"), "{both}");
        }
        let setting = Finding::ConfigurationWrong.of("callback").with("A is wrong; it must be true or false");
        let both = setting.to_json(&Language::ALL);
        assert_eq!(both["zh-CN"]["saw"], "设置缺失或有误：A 有误：应为 true 或 false");
        assert_eq!(both["en"]["saw"], "A setting is missing or wrong: A is wrong; it must be true or false");
        let one = found.to_json(&[Language::English]);
        assert!(one["zh-CN"].is_null() && one["en"]["remedy"].is_string(), "{one}");
    }

    #[test]
    fn a_page_ends_with_what_is_wrong() {
        let found = [Finding::SecretWrong.of("wx1").with(40125), Finding::ClockRight.of("wechat")];
        let chinese = page(&found, &[Language::Chinese]);
        let lines: Vec<_> = chinese.lines().collect();
        assert_eq!(lines[0], "✓ 正常   wechat   clock_right");
        assert_eq!(lines[3], "✗ 有误   wx1   secret_wrong");
        assert!(lines[4].contains("40125") && lines[5].starts_with("    → "), "{chinese}");
        assert!(chinese.ends_with(": 正常 1, 提示 0, 有误 1\n"), "{chinese}");
        let both = page(&found, &Language::ALL);
        assert!(both.contains("✗ 有误 · wrong   wx1") && both.lines().count() > lines.len(), "{both}");
    }
}
