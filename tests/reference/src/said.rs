//! What the documentation must go on saying though no code holds it, and what stands in one place of it alone.

use std::fs;
use std::path::Path;

use harness::binaries::workspace;

use crate::Language;

/// Facts of AWS's that a team would otherwise find out for itself, each with its page.
const SAID: [(&str, [&str; 2]); 5] = [
    (
        "guide/deploy.md",
        [
            "events of API Gateway's REST APIs (v1) or of a load balancer (ALB)",
            "API Gateway REST API（v1）或负载均衡器（ALB）的事件",
        ],
    ),
    (
        "guide/deploy.md",
        ["AWS WAF on the API: an HTTP API takes none", "在 API 上挂 AWS WAF：HTTP API 不支持"],
    ),
    ("security/remains.md", ["AWS WAF cannot be put on", "HTTP API 上不能挂 AWS WAF"]),
    ("reference/cost.md", ["a transaction that is cancelled is charged too", "取消的事务同样收费"]),
    ("guide/button.md", ["**what the name and the photo are for**", "**昵称和头像的用途**"]),
];

#[test]
fn what_no_code_holds_is_said_in_both_languages() {
    for (page, said) in SAID {
        for language in Language::ALL {
            let path = workspace().join("docs").join(language.folder()).join(page);
            let text = fs::read_to_string(path).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(language.of(said)), "{page} does not say: {}", language.of(said));
        }
    }
}

/// Where the paths through WeChat's consoles begin.
const CONSOLES: [&str; 4] = ["管理中心 →", "我的业务 →", "设置与开发 →", "体验接口权限表 →"];

/// Every path through a console in a text.
fn paths(text: &str) -> Vec<&str> {
    let starts = CONSOLES.iter().flat_map(|start| text.match_indices(start)).map(|(at, _)| at);
    starts
        .filter_map(|at| {
            text.get(at..)?
                .split(['\n', '"', '|', '.', ',', '，', '。', '；', '：', '、', ')', '）', ';'])
                .next()
        })
        .map(str::trim)
        .collect()
}

/// The pages of the documentation, with their paths below `docs/`.
fn pages(folder: &Path) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages.extend(self::pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    pages
}

/// WeChat moves things between its consoles: one table holds every path, with the month in which it was looked at. What
/// a program prints, which leads to no page, is in that table too.
#[test]
fn every_path_through_a_console_stands_in_one_table() {
    let root = workspace();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let tables = Language::ALL.map(|language| read(&format!("docs/{}/guide/consoles.md", language.folder())));
    for path in ["deploy.sh", "functions/doctor/src/finding.rs", "shared/wechat/src/errcode.rs"] {
        for found in paths(&read(path)) {
            assert!(tables.iter().all(|table| table.contains(found)), "{path}: {found} is in no table");
        }
    }
    for (path, page) in pages(&root.join("docs")) {
        // The doctor's table is what it prints.
        let is_table = path.ends_with("guide/consoles.md") || path.ends_with("reference/doctor.md");
        assert!(is_table || paths(&page).is_empty(), "{path}: {:?}", paths(&page));
    }
}

#[test]
fn a_path_ends_where_the_text_goes_on() {
    assert_eq!(
        paths("（微信公众平台 → 设置与开发 → 账号设置）\n  管理中心 → 网站应用 → 详情\" x"),
        ["管理中心 → 网站应用 → 详情", "设置与开发 → 账号设置"]
    );
}

/// What begins the recipe of a library, and the script that `make relying-parties` runs of it.
const RECIPES: [(&str, &str); 12] = [
    ("**openid-client**", "with-openid-client.mjs"),
    ("next-auth**", "with-next-auth.mjs"),
    ("**Auth.js**", "with-auth-core.mjs"),
    ("**express-openid-connect**", "with-express-openid-connect.mjs"),
    ("**Authlib**", "with_authlib.py"),
    ("mozilla-django-oidc**", "with_mozilla_django_oidc.py"),
    ("social-auth-core**", "with_social_auth_core.py"),
    ("mod_auth_openidc**", "with_mod_auth_openidc.py"),
    ("openidconnect**", "with-openidconnect.rs"),
    ("oidc-client-ts**", "page.html"),
    ("AppAuth-JS**", "with-appauth.mjs"),
    ("**LemonLDAP::NG", "with-lemonldap-ng.pl"),
];

/// What a recipe calls otherwise than the script: the client and its secret, what the site makes of the person, what a
/// reader fills in, and of openidconnect the metadata without the addresses that the script wants more.
const OTHERWISE: [&str; 9] =
    ["shop", "secret", "name", "person", "client", "cookies", "Cookie", "long", "CoreProviderMetadata"];

/// The names in a piece of code, whatever language that is in, without addresses, comments and what a reader fills in.
fn names(code: &str) -> Vec<&str> {
    let lines = code.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    let words = lines.flat_map(|line| line.split([' ', '"', '`'])).filter(|word| !word.contains("://"));
    words
        .flat_map(|word| word.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_' && sign != '-'))
        .filter(|word| word.len() > 3)
        .collect()
}

/// A recipe is what was run: every name in its code stands in the script.
#[test]
fn what_a_recipe_shows_stands_in_the_script_that_is_run() {
    let root = workspace();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    for language in Language::ALL {
        let page = read(&format!("docs/{}/guide/recipes/sites.md", language.folder()));
        for (heading, script) in RECIPES {
            let recipe = page.split(heading).nth(1).unwrap_or_else(|| panic!("{heading} is not there"));
            let code = recipe.split("```").nth(1).and_then(|code| code.split_once('\n')).unwrap().1;
            let script = read(&format!("tests/relying-parties/sites/{script}"));
            let is_known = |name: &&str| script.contains(*name) || OTHERWISE.contains(name);
            let unknown: Vec<_> = names(code).into_iter().filter(|name| !is_known(name)).collect();
            assert!(unknown.is_empty(), "{heading}: {unknown:?} was never run");
        }
    }
}
