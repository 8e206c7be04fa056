//! HTML pages that stand alone: one file, no network, no script, in light or dark as the reader's system is set, usable
//! on a phone and on paper.

mod cards;
mod document;
mod elements;
mod files;
mod gallery;
mod parts;
mod picture;
mod table;

pub use cards::{Card, RankedClass, cards, class_ranking};
pub use document::{Page, Section, render};
pub use elements::{Fact, breakable, facts, figure, scrolled, short, side_by_side};
pub use files::{check_page, page_file, plot_files, table_files, write_files};
pub use gallery::{GalleryItem, gallery};
pub use parts::Parts;
pub use picture::{Picture, Thumbnail};
pub use table::{Cell, Column, Table};
