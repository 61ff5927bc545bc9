//! WeChat's texts ([全局返回码](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html)),
//! without their suffix.

use super::{Dialect, Errcode};

/// The text of an error. Those never seen live are the documented ones.
pub(super) fn text(dialect: Dialect, errcode: Errcode) -> &'static str {
    match errcode {
        40001 | 45009 if dialect != Dialect::Sns => with_advice(errcode),
        0 => "ok",
        40001 => "invalid credential, access_token is invalid or not latest",
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40030 => "invalid refresh_token",
        40031 => "invalid openid list",
        40032 => "invalid openid list size",
        40066 => "invalid url",
        40125 => "invalid appsecret",
        40163 => "code been used",
        40164 => "invalid ip, not in whitelist",
        40226 => "code blocked",
        40243 => "appsecret has been frozen",
        41001 => "access_token missing",
        41002 => "appid missing",
        41003 => "refresh_token missing",
        41004 => "appsecret missing",
        41008 => "missing code",
        41009 => "missing openid",
        41018 => "component_appid missing",
        41021 => "component_access_token missing",
        42001 => "access_token expired",
        42002 => "refresh_token expired",
        42003 => "code expired",
        42007 => "access_token and refresh_token exception",
        43001 => "require GET method",
        43002 => "require POST method",
        43003 => "require https",
        43004 => "require subscribe",
        43101 => "user refuse to accept the msg",
        44002 => "empty post data",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit mustslower retry next minute",
        46004 => "user not exist",
        47001 => "data format error",
        48001 => "api unauthorized",
        48004 => "api forbidden for irregularities",
        50001 => "user unauthorized",
        50002 => "user limited",
        50004 => "forbid to use token interface",
        50005 => "user is unsubscribed",
        50007 => "account frozen",
        61000 => "invalid component type",
        61001 => "component type and component appid not match",
        61003 => "component is not authorized by this account",
        45035 | 61004 => "access clientip is not registered",
        61005 => "component ticket is expired",
        61006 => "component ticket is invalid",
        61007 => "api is unauthorized to component",
        61008 => "component req key is duplicated",
        61009 => "code is invalid",
        61010 => "code is expired",
        61011 => "invalid component",
        61014 => "must use component token for component api",
        61015 => "must use api auth token for authorizer api",
        61016 => "function category of API need be confirmed by component",
        61017 => "function category not authorized",
        61020 => "parameter error",
        61023 => "refresh_token is invalid",
        61024 => "must use api_component_token to get this token",
        61028 => "component is not published",
        89501 => "this ip is waiting for the confirmation of the administrator",
        89503 => "this ip has to be confirmed by the administrator",
        89506 => "this ip was refused twice by the administrator within 24 hours",
        89507 => "this ip was refused by the administrator within 1 hour",
        _ => "system error",
    }
}

/// Two texts of `cgi-bin` say what to do instead.
fn with_advice(errcode: Errcode) -> &'static str {
    match errcode {
        45009 => {
            "reach max api daily quota limit, could get access_token by getStableAccessToken, \
             more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
        _ => {
            "invalid credential, access_token is invalid or not latest, could get access_token by \
             getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
    }
}
