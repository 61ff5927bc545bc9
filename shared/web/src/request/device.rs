//! What kind of browser it is, by its user agent.

use http::HeaderMap;

use super::names;

/// What kind of browser waits, as far as its user agent says; for the words of a page, never for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device {
    /// A browser's name; empty if it is none of the known ones.
    pub browser: &'static str,
    /// A system's name, likewise.
    pub system: &'static str,
}

impl Device {
    /// The browsers that are known, by what their user agents say; the first that fits is it. Nearly all of them also
    /// say what another one says: those made in China and Samsung's say `Chrome/` or `Safari/` too, and WeChat's
    /// `MQQBrowser/`.
    pub const BROWSERS: &[(&'static str, &'static str)] = &[
        ("wxwork/", "WeCom"),
        ("MicroMessenger/", "WeChat"),
        (" QQ/", "QQ"),
        ("QQBrowser/", "QQ Browser"),
        ("UCBrowser/", "UC Browser"),
        ("Quark/", "Quark"),
        ("baiduboxapp/", "Baidu"),
        ("HuaweiBrowser/", "Huawei Browser"),
        ("MiuiBrowser/", "Mi Browser"),
        ("VivoBrowser/", "vivo Browser"),
        ("HeyTapBrowser/", "OPPO Browser"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];

    /// The systems, likewise.
    pub const SYSTEMS: &[(&'static str, &'static str)] = &[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("OpenHarmony", "HarmonyOS"),
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Macintosh", "Mac"),
        ("CrOS", "Chromebook"),
        ("Linux", "Linux"),
    ];

    /// What the user agent says.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let of = |known: &[(&'static str, &'static str)]| {
            let known = known.iter().find(|(word, _)| names(headers, word.as_bytes()));
            known.map(|(_, name)| *name).unwrap_or_default()
        };
        Self { browser: of(Self::BROWSERS), system: of(Self::SYSTEMS) }
    }

    /// Reads it back from a ticket.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        let (browser, system) = text.split_once('/').unwrap_or_default();
        let known = |names: &[(&'static str, &'static str)], text: &str| {
            names.iter().map(|(_, name)| *name).find(|name| *name == text).unwrap_or_default()
        };
        Self { browser: known(Self::BROWSERS, browser), system: known(Self::SYSTEMS, system) }
    }

    /// The text for a ticket.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}/{}", self.browser, self.system)
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    /// User agents as these browsers send them; what each is called on the phone's page stands in the words.
    const AGENTS: &[(&str, &str, &str)] = &[
        (
            "Mozilla/5.0 (Linux; U; Android 13; zh-cn; 22041211AC Build/TP1A.220624.014) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/109.0.5414.86 MQQBrowser/14.6 Mobile Safari/537.36 COVC/046913",
            "QQ Browser",
            "Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 MQQBrowser/15.1.0 Mobile/15E148 Safari/604.1 QBWebViewUA/2 QBWebViewType/1 WKType/1",
            "QQ Browser",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36 Core/1.116.586.400 QQBrowser/19.8.6897.400",
            "QQ Browser",
            "Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; V2115A Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/109.0.5414.86 MQQBrowser/6.2 TBS/046916 Mobile Safari/537.36 V1_AND_SQ_9.0.0_5532_YYB_D QQ/9.0.0.15175 NetType/WIFI",
            "QQ",
            "Android",
        ),
        (
            "Mozilla/5.0 (Linux; U; Android 14; zh-CN; V2309A Build/UP1A.231005.007) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.58 UCBrowser/16.7.6.1301 Mobile Safari/537.36",
            "UC Browser",
            "Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X; zh-CN) AppleWebKit/537.51.1 (KHTML, like Gecko) Mobile/21E219 UCBrowser/16.5.5.2390 Mobile AliApp(TUnionSDK/0.1.20.4)",
            "UC Browser",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X; zh-cn) AppleWebKit/601.1.46 (KHTML, like Gecko) Mobile/21E219 Quark/6.11.5.1981 Mobile",
            "Quark",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; M2102J2SC Build/TKQ1.220829.002; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/97.0.4692.98 Mobile Safari/537.36 T7/13.58 BDOS/1.0 baiduboxapp/13.58.0.10 (Baidu; P1 13)",
            "Baidu",
            "Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; HarmonyOS; LIO-AN00; HMSCore 6.13.0.322) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36",
            "Huawei Browser",
            "HarmonyOS",
        ),
        (
            "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.0.9.300",
            "Huawei Browser",
            "HarmonyOS",
        ),
        (
            "Mozilla/5.0 (Linux; U; Android 14; zh-cn; 23127PN0CC Build/UKQ1.230804.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/109.0.5414.118 Mobile Safari/537.36 XiaoMi/MiuiBrowser/18.5.40628",
            "Mi Browser",
            "Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; V2309A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/113.0.5672.77 Mobile Safari/537.36 VivoBrowser/20.1.30.0",
            "vivo Browser",
            "Android",
        ),
        (
            "Mozilla/5.0 (Linux; U; Android 14; zh-cn; PHZ110 Build/UKQ1.230924.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/115.0.5790.168 Mobile Safari/537.36 HeyTapBrowser/40.8.36.9",
            "OPPO Browser",
            "Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S9180) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
            "Samsung Internet",
            "Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1",
            "Chrome",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 14_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/132.0 Mobile/15E148 Safari/605.1.15",
            "Firefox",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 EdgiOS/130.0.2849.68 Mobile/15E148 Safari/604.1",
            "Edge",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
            "Chrome",
            "Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
            "Safari",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
            "Edge",
            "Mac",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0",
            "Opera",
            "Chromebook",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox", "Linux"),
        (
            "Mozilla/5.0 (Linux; Android 13; V2115A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 XWEB/1160065 MMWEBSDK/20231002 MicroMessenger/8.0.43.2480(0x28002B51) WeChat/arm64",
            "WeChat",
            "Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1",
            "WeCom",
            "iPhone",
        ),
        ("", "", ""),
    ];

    #[test]
    fn a_browser_is_called_by_its_own_name() {
        for &(agent, browser, system) in AGENTS {
            let headers = HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]);
            assert_eq!(Device::of(&headers), Device { browser, system }, "{agent}");
        }
    }

    #[test]
    fn a_device_is_read_back_as_it_was_stored() {
        for &(_, browser) in Device::BROWSERS {
            for &(_, system) in Device::SYSTEMS {
                let device = Device { browser, system };
                assert_eq!(Device::stored(&device.to_text()), device);
            }
        }
        for (text, device) in [
            ("/", Device::default()),
            ("", Device::default()),
            ("A stranger's/Mac", Device { browser: "", system: "Mac" }),
            ("Chrome/<b>", Device { browser: "Chrome", system: "" }),
        ] {
            assert_eq!(Device::stored(text), device, "{text}");
        }
    }

    /// A word that stands in another one's comes after it, or the other one is never found.
    #[test]
    fn every_word_of_a_user_agent_can_be_found() {
        for known in [Device::BROWSERS, Device::SYSTEMS] {
            for (index, (word, _)) in known.iter().enumerate() {
                let mut before = known.iter().take(index);
                assert!(before.all(|(earlier, _)| !word.contains(*earlier)), "{word}");
            }
        }
    }
}
