//! What a person can do for images in a split that has none.

use super::samples::Samples;
use crate::data::dataset::{Fractions, ImageFile, Sample, Split};
use std::collections::{BTreeMap, HashSet};

/// Percentages that are advised, the smallest first.
const PERCENTS: [u32; 5] = [10, 20, 30, 40, 50];

impl Samples {
    /// Says how `split`, which has no images or none of some classes, gets some. Splits that somebody fixed are not divided anew,
    /// so a `split` is advised only where it helps.
    pub fn remedy_for(&self, split: Split) -> String {
        if !self.has_fixed_splits() {
            return "give more images or another `split`, such as 60/15/25".into();
        }
        let rows = match self.manifest {
            Some(_) => format!("give rows with the split {split}"),
            None => format!("give a folder of {split} images"),
        };
        let free = self.images_of_the_rule();
        if !free.is_empty() {
            return format!(
                "{rows}, or a `split` that divides the images without one otherwise, such as 60/15/25"
            );
        }
        let is_all_fixed = self.rows.iter().all(|row| row.file.fixed_split.is_some());
        let has_images = self.rows.iter().any(|row| row.file.fixed_split == Some(split));
        match self.fractions_of_train(split).filter(|_| is_all_fixed && !has_images) {
            Some(fractions) => {
                format!("{rows}, or a `split` that takes some of the train images, such as {fractions}")
            }
            None => rows,
        }
    }

    /// The images whose split is that of the split rule, where others have one that somebody fixed.
    fn images_of_the_rule(&self) -> Vec<&Sample> {
        let is_fixed = |file: &ImageFile| file.fixed_split.is_some();
        let fixed: HashSet<&str> = self
            .rows
            .iter()
            .filter(|row| is_fixed(&row.file))
            .filter_map(|row| row.file.group.as_deref())
            .collect();
        let follows = |file: &ImageFile| file.group.as_deref().is_some_and(|group| fixed.contains(group));
        self.rows.iter().filter(|row| !is_fixed(&row.file) && !follows(&row.file)).collect()
    }

    /// Fractions that take an image of the largest class at least from the train images; `None` where all classes are too small.
    fn fractions_of_train(&self, split: Split) -> Option<Fractions> {
        let mut classes: BTreeMap<&str, HashSet<_>> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.file.fixed_split == Some(Split::Train)) {
            classes.entry(&row.file.label).or_default().insert(row.file.image_sha256);
        }
        let largest = classes.values().map(HashSet::len).max().unwrap_or(0);
        let percent = PERCENTS.into_iter().find(|percent| largest * *percent as usize / 100 > 0)?;
        let of = |other: Split| if other == split { percent } else { 0 };
        let [validation, test] = [of(Split::Validation), of(Split::Test)];
        Some(Fractions { train: 100 - percent, validation, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{FixedFractions, split_as_fixed, tests::class};
    use crate::data::manifest::{Manifest, ManifestOptions};

    fn samples(fixed: &[Split], free: usize) -> Samples {
        let mut files = class("a", fixed.len() + free);
        files.iter_mut().zip(fixed).for_each(|(file, split)| file.fixed_split = Some(*split));
        let wanted = FixedFractions { fractions: "100/0/0".parse().unwrap(), is_given: false };
        let rows = split_as_fixed(files, 0, wanted).unwrap().samples;
        let manifest = Manifest { file: "/m.csv".into(), options: ManifestOptions::default() };
        Samples { rows, manifest: Some(manifest), ..Samples::default() }
    }

    #[test]
    fn a_split_is_advised_only_where_it_works() {
        let train = [Split::Train; 7];
        let remedy = |samples: &Samples| samples.remedy_for(Split::Validation);
        let of_train = samples(&[&train[..], &[Split::Test]].concat(), 0);
        assert_eq!(
            remedy(&of_train),
            "give rows with the split validation, or a `split` that takes some of the train images, such as 80/20/0"
        );
        // It is taken, and gives an image.
        let files = of_train.rows.into_iter().map(|row| row.file).collect();
        let wanted = FixedFractions { fractions: "80/20/0".parse().unwrap(), is_given: true };
        let split = split_as_fixed(files, 0, wanted).unwrap().samples;
        assert_eq!(split.iter().filter(|row| row.split == Split::Validation).count(), 1);
        let rows = "give rows with the split validation";
        assert_eq!(remedy(&samples(&[&train[..], &[Split::Validation]].concat(), 0)), rows);
        assert_eq!(remedy(&samples(&[Split::Train, Split::Test], 0)), rows);
        assert!(remedy(&samples(&train, 3)).ends_with("otherwise, such as 60/15/25"));
    }
}
