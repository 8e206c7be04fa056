//! Sums up the runs in a folder: the folds of a cross-validation, or the heads of a sweep. Heads that differ in their seeds and
//! splits alone are repeats of one setting, and are averaged.

mod member;
mod varied;

pub use member::MemberScores;
pub use varied::Varied;

use super::fit_settings::{self, Settings};
use crate::data::dataset::{Resplit, Split};
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::metrics::{
    self, AccuracyInterval, ClassScore, MeanOverHeads, SplitAnswers, SplitDesign, accuracy_over_heads,
    mean_over_heads,
};
use crate::run;
use member::Member;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Folders below which runs are looked for, at most.
const DEPTH: usize = 4;

/// Scores of the runs in a folder. Fractions are 0 to 1.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MembersStats {
    /// The folder.
    pub folder: String,
    /// The split of all scores.
    pub split: Split,
    /// Each setting over its seeds and splits, the most accurate first.
    pub settings: Vec<SettingScores>,
    /// The settings that all runs share, and those that all runs of a solver share, as text.
    #[serde(skip)]
    pub shared: Vec<String>,
    /// Each run, in the order of their paths.
    pub runs: Vec<MemberScores>,
}

/// Scores of runs that differ in their seeds and splits alone.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SettingScores {
    /// What tells this setting from the others, such as `adam, lr 0.001`; empty for the only one.
    pub name: String,
    /// What varies among the runs.
    pub varied: Varied,
    /// Accuracy over the heads.
    pub accuracy: MeanOverHeads,
    /// Mean accuracy with its interval, and what that speaks of. Where the splits are folds, it is the accuracy of all folds
    /// together.
    pub interval: AccuracyInterval,
    /// Macro F1 over the heads; `None` where one has none.
    pub macro_f1: Option<MeanOverHeads>,
    /// Scores of each class over all images, where the runs are the folds of one cross-validation and answer each image once;
    /// else empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassScore>,
}

/// Whether `folder` is no run itself, and has runs in it.
pub fn is_folder_of_runs(folder: &Path) -> bool {
    !run::is_run(folder) && find_runs(folder, DEPTH).is_ok_and(|runs| !runs.is_empty())
}

/// Scores the runs in a folder, variant `none`, and averages those that differ in their seeds and splits alone.
///
/// # Errors
/// [`Kind::Usage`] for the train split; [`Kind::Run`] when the folder has no run, or one is damaged or has no images in the
/// split; [`Kind::Io`] when a folder cannot be read.
pub fn evaluate_members(folder: &Path, split: Split) -> Result<MembersStats> {
    run::check_split(split)?;
    let found = find_runs(folder, DEPTH)?;
    if found.is_empty() {
        return Err(Error::new(Kind::Run, "no run is in it").at(folder).help("`train` makes one"));
    }
    let members: Vec<Member> = found.iter().map(|run| Member::open(run, split)).collect::<Result<_>>()?;
    let keys: Vec<&Settings> = members.iter().map(|member| &member.settings).collect();
    let names = fit_settings::names(&keys, false);
    let mut settings: Vec<(&Settings, SettingScores)> = Vec::new();
    for (member, name) in members.iter().zip(names) {
        if settings.iter().all(|(key, _)| *key != &member.settings) {
            let own: Vec<&Member> = members.iter().filter(|one| one.settings == member.settings).collect();
            settings.extend(setting(name, &own).map(|scores| (&member.settings, scores)));
        }
    }
    settings.sort_by(|(_, a), (_, b)| b.interval.mean.total_cmp(&a.interval.mean));
    let place = |member: &Member| settings.iter().position(|(key, _)| *key == &member.settings).unwrap_or(0);
    Ok(MembersStats {
        shared: fit_settings::shared(&keys),
        folder: folder.display().to_string(),
        split,
        runs: members.iter().map(|member| member.scores(place(member))).collect(),
        settings: settings.into_iter().map(|(_, scores)| scores).collect(),
    })
}

/// The runs below a folder, in the order of their paths. What is inside a run is part of it.
fn find_runs(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let inside = fs::list(folder)?.into_iter().filter(|entry| !entry.name.starts_with('.'));
    for path in inside.map(|entry| entry.path).filter(|path| path.is_dir()) {
        if run::is_run(&path) {
            found.push(path);
        } else if depth > 1 && !path.is_symlink() {
            found.extend(find_runs(&path, depth - 1)?);
        }
    }
    found.sort();
    Ok(found)
}

/// Scores of the runs of one setting.
fn setting(name: String, members: &[&Member]) -> Option<SettingScores> {
    let splits = by_split(members);
    let over = |of: &dyn Fn(&Member) -> Option<f64>| {
        let scores =
            |split: &Vec<&Member>| split.iter().map(|member| of(member)).collect::<Option<Vec<f64>>>();
        mean_over_heads(&splits.iter().map(scores).collect::<Option<Vec<_>>>()?)
    };
    let resplits: Vec<Option<Resplit>> = splits.iter().map(|split| split[0].resplit).collect();
    let are_folds = Resplit::are_all_folds(&resplits);
    let design = if are_folds { SplitDesign::Folds } else { SplitDesign::Random };
    let answers: Vec<SplitAnswers> = splits.iter().map(|split| Member::answers(split)).collect();
    let answers_once = are_folds && splits.len() == members.len();
    Some(SettingScores {
        name,
        varied: Varied::of(&resplits, members),
        accuracy: over(&|member| Some(member.accuracy()))?,
        interval: accuracy_over_heads(&answers, design)?,
        macro_f1: over(&|member| metrics::macro_f1(&member.class_scores())),
        classes: if answers_once { pooled_classes(members) } else { Vec::new() },
    })
}

/// Runs in groups that answer the same images of the same split.
fn by_split<'a>(members: &[&'a Member]) -> Vec<Vec<&'a Member>> {
    let mut splits: Vec<Vec<&Member>> = Vec::new();
    for &member in members {
        match splits.iter_mut().find(|split| split[0].has_split_of(member)) {
            Some(split) => split.push(member),
            None => splits.push(vec![member]),
        }
    }
    splits
}

/// Scores of each class over the images of all runs; empty where their classes differ.
fn pooled_classes(members: &[&Member]) -> Vec<ClassScore> {
    let names = &members[0].classes;
    if members.iter().any(|member| member.classes != *names) {
        return Vec::new();
    }
    let sum =
        |truth: usize, predicted: usize| members.iter().map(|one| one.confusion[truth][predicted]).sum();
    let confusion: Vec<Vec<usize>> = (0..names.len())
        .map(|truth| (0..names.len()).map(|predicted| sum(truth, predicted)).collect())
        .collect();
    metrics::class_scores(names, &confusion)
}
