//! The section of pictures that look nearly the same, within a split and without a cache.

use super::examine::DatasetStats;
use super::pictures;
use crate::data::perceptual::{PerceptualDuplicates, PerceptualGroup, PerceptualHash, PerceptualImage};
use crate::report::format::count;
use crate::report::html::{Markup, html};
use crate::report::page::{self, Cell, Column, GalleryItem, Picture, Table, gallery};

/// Groups that are shown with pictures.
const SHOWN_GROUPS: usize = 24;
/// Pictures of a group that are shown.
const SHOWN_IMAGES: usize = 8;

/// The groups with their pictures, followed by `table` if there are more of them.
pub(super) fn section(stats: &DatasetStats, found: &PerceptualDuplicates, table: Markup) -> Markup {
    let several = found.groups.iter().filter(|group| group.labels.len() > 1).count();
    html! {
        p {
            "Pictures whose perceptual hashes differ in at most " (PerceptualHash::MOST_BITS)
            " of 64 bits, and whose colours are alike: saved anew, scaled or slightly changed, frames of one film. No network is "
            "needed to find them, and they may be in one split. "
            @if found.groups.is_empty() { "There are none among " (count(found.images)) " pictures." }
            @else {
                (count(found.surplus())) " of " (count(found.images)) " pictures repeat another. "
                @if several > 0 { strong { (count(several)) " groups are of several classes" } ": one of their labels may be wrong." }
            }
        }
        div.pairs { @for group in found.groups.iter().take(SHOWN_GROUPS) { div.pair { (shown(stats, group)) } } }
        @if found.groups.len() > SHOWN_GROUPS { (table) }
    }
}

fn shown(stats: &DatasetStats, group: &PerceptualGroup) -> Markup {
    let item = |image: &PerceptualImage| GalleryItem {
        // The path stands in the caption.
        picture: Picture {
            alt: format!("an image of {}", image.label),
            ..pictures::file(stats, &image.path, image.image_sha256)
        },
        caption: html! { p.path { (page::breakable(&image.path)) } },
    };
    let items: Vec<GalleryItem> = group.images.iter().take(SHOWN_IMAGES).map(item).collect();
    html! {
        h3 {
            @for (i, label) in group.labels.iter().enumerate() { @if i > 0 { " and " } (page::breakable(label)) }
            " " span.quiet.amount { (count(group.images.len())) }
        }
        (gallery(&items))
    }
}

/// All groups, a row for each picture.
pub(super) fn table(found: &PerceptualDuplicates) -> Table {
    let columns = [
        Column::new("Group", "group"),
        Column::new("Image", "path"),
        Column::new("Class", "label"),
        Column::new("Bits from the first", "bits"),
    ];
    let rows = found.groups.iter().enumerate().flat_map(|(number, group)| {
        group.images.iter().map(move |image| {
            [
                Cell::count(number + 1),
                Cell::text(&image.path),
                Cell::text(&image.label),
                Cell::count(image.bits as usize),
            ]
        })
    });
    Table::new("look-alike", "Pictures that look nearly the same", columns, rows)
}
