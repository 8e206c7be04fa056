//! Pictures with what is said of them: the ranked answers as bars.

use super::{Picture, name};
use crate::markup::{Markup, html};
use crate::words::percent;

/// A picture and words about it.
#[derive(Debug, Clone)]
pub struct Card {
    /// Above.
    pub picture: Picture,
    /// The first line below.
    pub title: String,
    /// What stands below that.
    pub body: Markup,
}

/// One answer of several.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// The class.
    pub label: String,
    /// 0 to 1.
    pub probability: f64,
    /// A word on it, such as `truth`.
    pub mark: Option<&'static str>,
}

/// Pictures side by side, as many to a row as fit.
pub fn cards(cards: &[Card]) -> Markup {
    html! {
        ul.cards {
            @for card in cards {
                li.card {
                    div.frame { (card.picture.markup()) }
                    p.title { (name(&card.title)) }
                    (card.body)
                }
            }
        }
    }
}

/// Answers from the most probable down, each with a bar.
pub fn ranked(answers: &[Ranked]) -> Markup {
    html! {
        ol.ranked {
            @for answer in answers {
                li.marked[answer.mark.is_some()] {
                    span.name { (name(&answer.label)) @if let Some(mark) = answer.mark { " " span.mark { (mark) } } }
                    span.value { (percent(answer.probability)) }
                    span.bar aria-hidden="true" { span style=(format!("width:{:.1}%", 100.0 * answer.probability.clamp(0.0, 1.0))) {} }
                }
            }
        }
    }
}
