//! The tables, and where they stand in a page.

use std::fmt::Write as _;

use doctor::finding::{Finding, Severity};
use harness::{Failure, Result, template::Template};
use lambda::OUTCOMES as ANY;
use settings::Need;
use web::outcome::{Level, Outcome};
use wechat::errcode::{KNOWN, PAGE_ERRORS};

use crate::{ANSWERING, Language, alarms, outcomes, parameters, settings};

/// A table that is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The parameters of the template.
    Parameters,
    /// The settings of the functions.
    Settings,
    /// What a line of the log can say.
    Outcomes,
    /// WeChat's error codes.
    Errcodes,
    /// What WeChat's own pages say.
    PageErrors,
    /// The alarms of the template.
    Alarms,
    /// As what the outcomes of a login are counted.
    Counted,
    /// What the doctor can find.
    Findings,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Parameters,
        Self::Settings,
        Self::Outcomes,
        Self::Errcodes,
        Self::PageErrors,
        Self::Alarms,
        Self::Counted,
        Self::Findings,
    ];

    /// Its name between the marks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Settings => "settings",
            Self::Outcomes => "outcomes",
            Self::Errcodes => "errcodes",
            Self::PageErrors => "page-errors",
            Self::Alarms => "alarms",
            Self::Counted => "counted",
            Self::Findings => "findings",
        }
    }

    fn written(self, language: Language, template: &Template) -> Result<String> {
        Ok(match self {
            Self::Parameters => parameters::table(language, template)?,
            Self::Settings => settings_table(language),
            Self::Outcomes => outcomes_tables(language),
            Self::Errcodes => errcodes_table(language),
            Self::PageErrors => page_errors_table(language),
            Self::Alarms => alarms::table(language, template)?,
            Self::Counted => alarms::counted(language, template)?,
            Self::Findings => findings_table(language),
        })
    }
}

/// The page with its tables as the code has them.
///
/// # Errors
///
/// When a mark names no table, or has no end.
pub fn rewrite(page: &str, language: Language, template: &Template) -> Result<String> {
    const BEGIN: &str = "<!-- generated: ";
    const END: &str = "<!-- end -->";
    let mut rewritten = String::new();
    let mut rest = page;
    while let Some((before, from)) = rest.split_once(BEGIN) {
        let (name, from) = from.split_once(" -->\n").ok_or_else(|| Failure::new("a mark without an end"))?;
        let (_, after) = from.split_once(END).ok_or_else(|| Failure::new(format!("{name} has no {END}")))?;
        let table = Table::ALL.into_iter().find(|table| table.name() == name);
        let table = table.ok_or_else(|| Failure::new(format!("there is no table {name}")))?;
        write!(rewritten, "{before}{BEGIN}{name} -->\n{}{END}", table.written(language, template)?)?;
        rest = after;
    }
    Ok(rewritten + rest)
}

/// A row, its cells in order.
pub(crate) fn row(cells: &[&str]) -> String {
    cells
        .iter()
        .fold("|".to_owned(), |row, cell| if cell.is_empty() { row + " |" } else { row + " " + cell + " |" })
        + "\n"
}

/// The first two lines of a table.
pub(crate) fn head(cells: &[&str]) -> String {
    row(cells) + "|" + &"---|".repeat(cells.len()) + "\n"
}

fn settings_table(language: Language) -> String {
    let mut table = head(&language.of([
        ["Name", "Example", "Required?", "Default", "Read by", "Description"],
        ["名称", "示例", "必填", "默认值", "读取者", "说明"],
    ]));
    let all = settings();
    for (setting, readers) in &all {
        let needs = |wanted: fn(&Need) -> bool| readers.iter().any(|(_, need)| wanted(need));
        let required = if needs(|need| *need == Need::Required) {
            language.of(["yes", "是"])
        } else if needs(|need| *need == Need::OneOfTwo { is_required: true }) {
            language.of(["one of the two", "两项之一"])
        } else {
            language.of(["no", "否"])
        };
        let names: Vec<_> = readers.iter().map(|(function, _)| format!("`{function}`")).collect();
        let readers = if names.len() == ANSWERING {
            language.of(["all", "全部"]).to_owned()
        } else {
            names.join(language.of([", ", "、"]))
        };
        table += &row(&[
            &format!("`{}`", setting.name),
            setting.example,
            required,
            language.of(setting.default),
            &readers,
            language.of(setting.meaning),
        ]);
    }
    table
}

fn outcomes_tables(language: Language) -> String {
    let of_function =
        |(function, outcomes): (&str, Vec<&Outcome>)| table_of(language, &format!("`{function}`"), &outcomes);
    let tables: Vec<_> = outcomes().into_iter().map(of_function).collect();
    let any = table_of(language, language.of(["any function", "任何函数"]), ANY);
    tables.join("\n") + "\n" + &any
}

/// Bold: comes at level ERROR.
fn table_of(language: Language, title: &str, outcomes: &[&Outcome]) -> String {
    let mut table = head(&[title, language.of(["Means", "含义"]), language.of(["What to do", "处理"])]);
    for outcome in outcomes {
        let name = match outcome.level {
            Level::Info | Level::ByErrcode => format!("`{}`", outcome.name),
            Level::Error => format!("**`{}`**", outcome.name),
        };
        table += &row(&[&name, language.of(outcome.meaning), language.of(outcome.remedy)]);
    }
    table
}

fn errcode_head(language: Language) -> String {
    head(&language.of([
        ["Number", "Kind", "What WeChat says, what it means, and what to do"],
        ["错误码", "类别", "微信的原文，含义与处理"],
    ]))
}

fn errcodes_table(language: Language) -> String {
    KNOWN.iter().fold(errcode_head(language), |table, known| {
        let (english, chinese) = known.reaction.names();
        let kind = language.of([english, chinese]);
        let meaning = said_and_meant(language, known.says, [known.english, known.chinese]);
        table + &row(&[&known.errcode.to_string(), kind, &meaning])
    })
}

/// WeChat's own words first, so that a search for them ends here.
fn said_and_meant(language: Language, says: &str, means: [&str; 2]) -> String {
    let means = language.of(means);
    if says.is_empty() { means.to_owned() } else { format!("`{says}`{}{means}", language.of([": ", "："])) }
}

fn page_errors_table(language: Language) -> String {
    PAGE_ERRORS.iter().fold(errcode_head(language), |table, (number, says, english, chinese)| {
        let kind = language.of(["WeChat's page", "微信页面"]);
        table + &row(&[&number.to_string(), kind, &said_and_meant(language, says, [english, chinese])])
    })
}

fn findings_table(language: Language) -> String {
    let head = head(
        &language
            .of([["Finding", "Is", "Saw", "What puts it right"], ["结果", "级别", "看到的情况", "处理"]]),
    );
    Finding::ALL.iter().fold(head, |table, finding| {
        let found = finding.row();
        let severity = match found.severity {
            Severity::Ok => language.of(["ok", "正常"]),
            Severity::Note => language.of(["note", "提示"]),
            Severity::Wrong => language.of(["**wrong**", "**有误**"]),
        };
        // What is filled in each time: a number, an address, a name.
        let saw = language.of(found.saw).replace("{detail}", "…");
        table + &row(&[&format!("`{}`", found.name), severity, &saw, language.of(found.remedy)])
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use harness::binaries::workspace;
    use web::reason::Reason;

    use super::*;

    fn pages(language: Language) -> Vec<(String, String)> {
        let folder = workspace().join("docs").join(language.folder()).join("reference");
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
    }

    #[test]
    fn the_documentation_says_what_the_code_does() {
        let template = crate::template().unwrap();
        for language in Language::ALL {
            let pages = pages(language);
            for (path, page) in &pages {
                let rewritten = rewrite(page, language, &template).unwrap();
                assert!(rewritten == *page, "{path} is not what the code says; run `make docs-reference`");
            }
            for table in Table::ALL {
                let mark = format!("<!-- generated: {} -->", table.name());
                let count = pages.iter().filter(|(_, page)| page.contains(&mark)).count();
                assert_eq!(count, 1, "{} of {language:?}", table.name());
            }
        }
    }

    #[test]
    fn every_reason_is_explained_with_its_status() {
        for language in Language::ALL {
            let pages: String = pages(language).into_iter().map(|(_, page)| page).collect();
            for reason in Reason::ALL {
                let row = format!("\n| `{}` | {} | ", reason.as_str(), reason.status().as_u16());
                assert!(pages.contains(&row), "{language:?}: {row}");
            }
        }
    }

    #[test]
    fn every_text_has_both_languages() {
        let all = outcomes().into_iter().flat_map(|(_, outcomes)| outcomes).chain(ANY.iter().copied());
        for outcome in all {
            assert!(outcome.meaning.iter().all(|text| !text.is_empty()), "{}", outcome.name);
            assert_eq!(outcome.remedy[0].is_empty(), outcome.remedy[1].is_empty(), "{}", outcome.name);
        }
        for (setting, _) in settings() {
            assert!(setting.meaning.iter().all(|text| !text.is_empty()), "{}", setting.name);
            assert_eq!(setting.default[0].is_empty(), setting.default[1].is_empty(), "{}", setting.name);
        }
    }

    #[test]
    fn an_outcome_has_one_name_in_a_function() {
        for (function, outcomes) in outcomes() {
            let mut names: Vec<_> = outcomes.iter().chain(ANY).map(|outcome| outcome.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{function}");
        }
    }

    #[test]
    fn a_mark_without_a_table_is_an_error() {
        let template = crate::template().unwrap();
        for page in ["<!-- generated: nothing -->\n<!-- end -->", "<!-- generated: alarms -->\n"] {
            assert!(rewrite(page, Language::English, &template).is_err(), "{page}");
        }
    }
}
