//! Cards: pictures with a title and text below, such as ranked classes with probability bars.

use super::elements::short;
use super::picture::Picture;
use crate::report::format::percent;
use crate::report::html::{Markup, html};

/// A picture with text below it.
#[derive(Debug, Clone)]
pub struct Card {
    /// The picture.
    pub picture: Picture,
    /// The first line below it.
    pub title: String,
    /// The rest of the text.
    pub body: Markup,
}

/// A class with its probability.
#[derive(Debug, Clone)]
pub struct RankedClass {
    /// The class.
    pub label: String,
    /// 0 to 1.
    pub probability: f64,
    /// A remark on it, such as `truth`; the class is then highlighted, and the remark is for those who do not see that.
    pub mark: Option<&'static str>,
}

/// Letters of a ranked class at most; longer names are shortened in the middle.
const LONGEST: usize = 24;

/// Cards side by side, as many to a row as fit.
pub fn cards(cards: &[Card]) -> Markup {
    html! {
        ul.cards {
            @for card in cards {
                li.card {
                    div.frame { (card.picture.markup()) }
                    p.title { (short(&card.title, 2 * LONGEST)) }
                    (card.body)
                }
            }
        }
    }
}

/// Classes in the given order, each with its probability as a number and a bar.
pub fn class_ranking(classes: &[RankedClass]) -> Markup {
    html! {
        ol.ranked {
            @for class in classes {
                li.marked[class.mark.is_some()] {
                    span.name title=(class.label) { (short(&class.label, LONGEST)) @if let Some(mark) = class.mark { span.unseen { " (" (mark) ")" } } }
                    span.value { (percent(class.probability)) }
                    span.bar aria-hidden="true" { span style=(format!("width:{:.1}%", 100.0 * class.probability.clamp(0.0, 1.0))) {} }
                }
            }
        }
    }
}
