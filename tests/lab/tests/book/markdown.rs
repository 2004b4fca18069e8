//! What stands in a chapter: its headings, its links, its pictures, its words.

use std::collections::HashSet;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

#[derive(Default)]
pub struct Page {
    /// The headings' text.
    pub headings: Vec<String>,
    /// What a `#fragment` may name.
    pub ids: HashSet<String>,
    pub links: Vec<String>,
    pub pictures: Vec<Picture>,
    /// Code within a line: a path, a command.
    pub code: Vec<String>,
    /// How many words there are to read, blocks of code not counted.
    pub words: usize,
    pub faults: Vec<String>,
}

pub struct Picture {
    pub file: String,
    pub alt: String,
}

/// Which text is being read.
#[derive(Default)]
struct Place {
    in_block: bool,
    heading: Option<(Option<String>, String)>,
    picture: Option<Picture>,
    details: usize,
}

impl Page {
    pub fn read(text: &str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES;
        let (mut page, mut place) = (Self::default(), Place::default());
        for event in Parser::new_ext(text, options) {
            page.take(event, &mut place);
        }
        if place.details > 0 {
            page.faults.push("a `<details>` is not closed".into());
        }
        page
    }

    fn take(&mut self, event: Event, place: &mut Place) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => place.in_block = true,
            Event::End(TagEnd::CodeBlock) => place.in_block = false,
            Event::Start(Tag::Heading { id, .. }) => {
                place.heading = Some((id.map(Into::into), String::new()))
            }
            Event::End(TagEnd::Heading(_)) => self.heading(place.heading.take().unwrap_or_default()),
            Event::Start(Tag::Link { dest_url, .. }) => self.links.push(dest_url.into()),
            Event::Start(Tag::Image { dest_url, .. }) => {
                place.picture = Some(Picture {
                    file: dest_url.into(),
                    alt: String::new(),
                });
            }
            Event::End(TagEnd::Image) => self.pictures.extend(place.picture.take()),
            Event::Text(text) if !place.in_block => self.text(&text, place),
            Event::Code(code) => {
                self.text(&code, place);
                self.code.push(code.into());
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html, place),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, place: &mut Place) {
        self.words += text
            .split_whitespace()
            .filter(|word| word.contains(char::is_alphanumeric))
            .count();
        if let Some((_, heading)) = &mut place.heading {
            heading.push_str(text);
        }
        if let Some(picture) = &mut place.picture {
            picture.alt.push_str(text);
        }
    }

    fn heading(&mut self, (id, text): (Option<String>, String)) {
        let plain = id.unwrap_or_else(|| id_of(&text));
        let numbered = (1..).map(|n| format!("{plain}-{n}"));
        let free = [plain.clone()]
            .into_iter()
            .chain(numbered)
            .find(|id| !self.ids.contains(id));
        self.ids.extend(free);
        self.headings.push(text);
    }

    fn html(&mut self, html: &str, place: &mut Place) {
        if html.trim_start().starts_with("<!--") {
            return;
        }
        self.ids.extend(attributes(html, "id"));
        self.links.extend(attributes(html, "href"));
        let alt = attributes(html, "alt").next().unwrap_or_default();
        self.pictures.extend(attributes(html, "src").map(|file| Picture {
            file,
            alt: alt.clone(),
        }));
        if html.contains('`') || html.contains("**") || html.contains("](") {
            self.faults.push(format!(
                "Markdown right after a tag stays as it is; put a blank line before: {}",
                html.trim()
            ));
        }
        place.details += html.matches("<details").count();
        place.details = place.details.saturating_sub(html.matches("</details").count());
    }
}

/// The values of an attribute in a piece of HTML.
pub fn attributes(html: &str, name: &str) -> impl Iterator<Item = String> {
    let start = format!(" {name}=\"");
    let values = html
        .split(&start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    values.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// The id that mdBook gives a heading.
fn id_of(heading: &str) -> String {
    let id = heading.trim().chars().filter_map(|c| match c {
        '_' | '-' => Some(c),
        _ if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => c.is_whitespace().then_some('-'),
    });
    id.collect()
}
