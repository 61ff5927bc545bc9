//! Every way in which a hand-off goes on or ends, and what follows from a refusal.

use login::handoff::End;
use thiserror::Error;
use web::outcome::{Outcome, Verdict};
use web::query::QueryError;
use web::reason::Reason;

/// Why there is another page than the one that was asked for.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("opened in a frame, an image or by prefetch")]
    NotAPage,
    #[error("there is nothing at this address")]
    NoSuchRoute,
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the parameter {0} is missing or malformed")]
    Value(&'static str),
    #[error("the form comes from another page than this stack's own")]
    ForeignOrigin,
    #[error("no browser cookie, or not exactly one")]
    NoBrowser,
    #[error("the browser did not keep the cookie of the login that it has just come from")]
    CookieLost,
    #[error("the login is unknown, over, or another browser's")]
    LoginGone,
    #[error("the ticket is unknown")]
    TicketGone,
    #[error("the person declined to log in on the phone")]
    Denied,
    #[error("the account of the ticket's app is not there any more")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("what was handed over could not be sealed, or does not open")]
    Unsealable,
}

web::outcomes! {
    WAITING = Info "handoff_waiting" ["a browser shows its QR code, or asks whether it was scanned"] ["浏览器显示二维码，或询问是否已扫码"];
    GIVEN = Info "handoff_given" ["the code was scanned; this browser was given the number to match"] ["已扫码；该浏览器得到了要核对的数字"];
    SHOWN_AGAIN = Info "handoff_given_again" ["the same browser is shown the number again"] ["同一个浏览器再次显示该数字"];
    PICKED_UP = Info "handoff_logged_in" ["the phone approved: the session is stored, the cookie set"] ["手机已确认：会话已保存，Cookie 已设置"];
    PICKED_UP_AGAIN = Info "handoff_repeated" ["the browser that was logged in asks again, and gets the same session"] ["已登录的浏览器再次请求，得到同一个会话"];
    PICKED_UP_BY_ANOTHER = Info "handoff_picked_up_by_another" ["a browser asks whose phone has logged another browser in: the page that says so", "somebody who shares a browser's secret was faster: look at that person's sessions"] ["询问的浏览器未登录，手机登录的是另一个浏览器：显示说明页面", "有人与用户共有浏览器密钥值，并且更快：请检查该用户的登录"];
    OVER = Info "handoff_over" ["nobody approved in time: the page that says so, with a link to a new code"] ["超时未确认：显示说明页面，并附上获取新二维码的链接"];
    ENDED = Info "handoff_ended" ["the page that says that the ticket ended: refused, a wrong number, or two browsers that waited"] ["显示登录已结束的页面：手机上拒绝、数字不符，或有两个浏览器在等待"];
    WAITED_FOR_BY_TWO = Info "handoff_waited_for_by_two" ["a second browser waited for the same phone: the ticket is ended", "often: somebody reads logins off a shared computer"] ["另一个浏览器也在等待同一部手机：登录已结束", "频繁出现时：可能有人利用共用电脑"];
    PHONE_LOGIN = Info "handoff_phone_login" ["a phone that is not logged in scanned the code: on to the login"] ["未登录的手机扫了码：转到登录"];
    OUTSIDE_WECHAT = Info "handoff_outside_wechat" ["somebody who is not logged in opened the code with something else than WeChat: the page that says so; nothing was scanned"] ["未登录的人用微信以外的应用打开了二维码：显示说明页面，不算扫码"];
    ASKED = Info "handoff_asked" ["the phone is asked for the number on the other screen"] ["询问手机：另一个屏幕上是哪个数字"];
    APPROVED = Info "handoff_approved" ["the phone tapped the right number"] ["手机点了正确的数字"];
    REFUSED = Info "handoff_refused" ["the phone said no"] ["手机拒绝了登录"];
    TAKEN_BACK = Info "handoff_taken_back" ["the phone took its yes back, before the other device was logged in", "often: somebody sends people QR codes"] ["手机在另一台设备登录之前撤回了确认", "频繁出现时：可能有人在散发登录二维码"];
    WRONG_NUMBER = Info "handoff_wrong_number" ["the phone tapped a number that the other screen does not show: the ticket is ended", "often: somebody sends people QR codes"] ["手机点的数字与另一个屏幕不符：登录已结束", "频繁出现时：可能有人在散发登录二维码"];
    TOLD = Info "handoff_told" ["the phone is told how it ended"] ["告知手机结果"];
    STARTED_OVER = Info "handoff_started_over" ["an answer from a phone that is not the one that scanned, or that came too early: its page is shown anew"] ["点选来自另一部手机，或来得太早：重新显示页面"];
    NOT_A_PAGE = Info "not_a_page" ["opened in a frame, an image or by prefetch"] ["在 iframe、图片或预取中打开"];
    INVALID_REQUEST = Info "invalid_request" ["a parameter is missing, malformed or given twice", "`cause`"] ["参数缺少、有误或重复", "查看 `cause`"];
    ORIGIN_REFUSED = Info "origin_refused" ["the form comes from another page than this stack's own"] ["表单来自本服务以外的网页"];
    COOKIE_MISSING = Info "cookie_missing" ["the browser did not keep its cookie"] ["浏览器没有保留 Cookie"];
    LOGIN_GONE = Info "login_expired" ["the login or the ticket is unknown, over, or another browser's"] ["登录或二维码不存在、已过期，或属于另一个浏览器"];
    DENIED = Info "denied" ["the person declined to log in on the phone"] ["用户在手机上拒绝了授权"];
    NO_SUCH_ROUTE = Info "not_found" ["there is nothing at this address"] ["网址不存在"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer, or other requests always wrote first", "`cause`"] ["DynamoDB 无响应，或每次都有其他请求先写入", "查看 `cause`"];
    UNSEALABLE = Error "unsealable" ["what was handed over could not be sealed, or does not open: a defect", "report it"] ["转交的内容无法加密或解密：程序错误", "请反馈"];
}

impl Refusal {
    pub(crate) const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::NotAPage => (&NOT_A_PAGE, Reason::NotAPage),
            Self::NoSuchRoute => (&NO_SUCH_ROUTE, Reason::NotFound),
            Self::Query(_) | Self::Value(_) => (&INVALID_REQUEST, Reason::InvalidRequest),
            Self::ForeignOrigin => (&ORIGIN_REFUSED, Reason::OriginRefused),
            Self::NoBrowser | Self::CookieLost => (&COOKIE_MISSING, Reason::CookieMissing),
            Self::LoginGone | Self::TicketGone | Self::NoAccount => (&LOGIN_GONE, Reason::LoginExpired),
            Self::Denied => (&DENIED, Reason::AccessDenied),
            Self::Store(_) => (&STORE_UNAVAILABLE, Reason::ServiceUnavailable),
            Self::Unsealable => (&UNSEALABLE, Reason::Unexpected),
        };
        Verdict { outcome, reason }
    }
}

/// How the tap that ended a ticket is logged.
pub(crate) const fn of_end(end: End) -> &'static Outcome {
    match end {
        End::Refused => &REFUSED,
        End::WrongNumber => &WRONG_NUMBER,
        End::WaitedForByTwo => &WAITED_FOR_BY_TWO,
        End::TakenBack => &TAKEN_BACK,
    }
}
