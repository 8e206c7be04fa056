//! The file of an experiment, checked: names are resolved, switches applied, and every head that is to be fitted stands
//! in the plan once, however many columns of the table show it.

use super::file::{Baseline, Cache, File, Published, Run, Settings, Switch};
use super::names::{check, find, names, order, usage, within};
use super::settings;
use crate::error::Result;
use crate::head::SolverConfig;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub title: String,
    /// Heads of each fit on the split of the caches.
    pub seeds: usize,
    /// Other splits.
    pub resplits: usize,
    pub published_minutes: Option<f64>,
    pub caches: Vec<Cache>,
    /// Those that others start from come first.
    pub fits: Vec<Fit>,
    pub runs: Vec<(String, Option<Published>)>,
    pub conditions: Vec<Column>,
    pub switches: Vec<Column>,
    /// The runs with no switch on: what switches are measured against.
    pub plain: Vec<Scored>,
    pub baselines: Vec<Measured>,
    /// Of runs and baselines, by their place in [`Plan::runs`] and then [`Plan::baselines`].
    pub pairs: Vec<[usize; 2]>,
}

/// Heads of one run: as many as there are seeds on the caches' split, one on each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    pub cache: usize,
    pub variants: Option<Vec<String>>,
    pub solver: SolverConfig,
    /// The fit whose heads are the start.
    pub init: Option<usize>,
    /// Seed of the first head; the others follow.
    pub first_seed: u64,
}

/// A fit, and how its answers are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub fit: usize,
    /// Where only whole batches of test images count, how large they are.
    pub batch: Option<usize>,
}

/// All runs with some switches on.
#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    pub about: String,
    pub switches: Vec<String>,
    pub runs: Vec<Scored>,
}

/// A baseline.
#[derive(Debug)]
pub(super) struct Measured {
    pub name: String,
    pub how: How,
}

/// How a baseline answers.
#[derive(Debug)]
pub(super) enum How {
    Majority,
    Nearest { cache: usize, variants: Option<Vec<String>> },
    Head(Scored),
    Pixels(Small),
}

/// Small grey pixels, and what becomes of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Small {
    /// Width and height.
    pub size: [usize; 2],
    /// The centre part of width and height.
    pub crop: [f64; 2],
    pub components: usize,
    pub l2: f64,
}

/// The most seeds, and the most splits.
const MOST: usize = 10_000;

impl Plan {
    /// Checks a file.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the entry that is wrong.
    pub fn of(file: File) -> Result<Self> {
        check(&file)?;
        if !(1..=MOST).contains(&file.seeds) || file.resplits == 1 || file.resplits > MOST {
            return Err(usage("seeds must be 1 to 10000, and resplits 0 or 2 to 10000"));
        }
        let mut fits = Fits { file: &file, order: order(&file.runs)?, all: Vec::new() };
        let conditions = file.conditions.iter().map(|condition| {
            let switches = condition.switches.iter().map(|name| fits.switch(name));
            let switches =
                switches.collect::<Result<Vec<_>>>().map_err(|e| within("condition", &condition.name, e))?;
            fits.column(&condition.name, "", &switches)
        });
        let mut conditions = conditions.collect::<Result<Vec<_>>>()?;
        if conditions.is_empty() {
            conditions.push(fits.column("as written", "", &[])?);
        }
        let plain = fits.column("", "", &[])?.runs;
        let switches = file.switches.iter().map(|switch| fits.column(&switch.name, &switch.about, &[switch]));
        let switches = switches.collect::<Result<Vec<_>>>()?;
        let baselines = file.baselines.iter().enumerate().map(|(i, baseline)| fits.baseline(i, baseline));
        let baselines = baselines.collect::<Result<Vec<_>>>()?;
        let fits = fits.all;
        let names: Vec<&str> = names(&file);
        let pairs = file.pairs.iter().map(|pair| {
            let [first, second] = pair.each_ref().map(|name| find("pairs", name, &names));
            Ok([first?, second?])
        });
        Ok(Self {
            pairs: pairs.collect::<Result<_>>()?,
            runs: file.runs.iter().map(|run| (run.name.clone(), run.published)).collect(),
            title: file.title,
            seeds: file.seeds,
            resplits: file.resplits,
            published_minutes: file.published_minutes,
            caches: file.caches,
            fits,
            conditions,
            switches,
            plain,
            baselines,
        })
    }
}

/// The fits of a plan as it is made.
struct Fits<'a> {
    file: &'a File,
    /// Of the runs.
    order: Vec<usize>,
    all: Vec<Fit>,
}

impl<'a> Fits<'a> {
    fn switch(&self, name: &str) -> Result<&'a Switch> {
        let names: Vec<&str> = self.file.switches.iter().map(|switch| switch.name.as_str()).collect();
        find("switches", name, &names).map(|i| &self.file.switches[i])
    }

    fn cache(&self, name: Option<&str>) -> Result<usize> {
        let names: Vec<&str> = self.file.caches.iter().map(|cache| cache.name.as_str()).collect();
        name.map_or(Ok(0), |name| find("cache", name, &names))
    }

    /// All runs with some switches on.
    fn column(&mut self, name: &str, about: &str, switches: &[&Switch]) -> Result<Column> {
        let mut runs: Vec<Option<Scored>> = vec![None; self.file.runs.len()];
        for i in self.order.clone() {
            let run = &self.file.runs[i];
            let scored = self.run(i, run, switches, &runs).map_err(|e| within("run", &run.name, e))?;
            runs[i] = Some(scored);
        }
        Ok(Column {
            name: name.into(),
            about: about.into(),
            switches: switches.iter().map(|switch| switch.name.clone()).collect(),
            runs: runs.into_iter().flatten().collect(),
        })
    }

    fn run(
        &mut self,
        place: usize,
        run: &Run,
        switches: &[&Switch],
        done: &[Option<Scored>],
    ) -> Result<Scored> {
        let layers = [&self.file.settings, &run.settings].into_iter();
        let layers: Vec<&Settings> = layers.chain(switches.iter().map(|switch| &switch.settings)).collect();
        let cache = switches.iter().rev().find_map(|switch| switch.cache.as_deref()).or(run.cache.as_deref());
        let init = run.init.as_deref().filter(|_| !switches.iter().any(|switch| switch.ignore_init));
        let init = init.and_then(|name| self.file.runs.iter().position(|other| other.name == name));
        let fit = Fit {
            cache: self.cache(cache)?,
            variants: run.variants.clone(),
            solver: settings::solver(&layers)?,
            init: init.and_then(|init| done[init]).map(|scored| scored.fit),
            first_seed: (place * self.file.seeds) as u64,
        };
        if fit.init.is_some_and(|init| self.all[init].cache != fit.cache) {
            return Err(usage("it starts from a run of another cache, whose features are others"));
        }
        if fit.init.is_some() && matches!(fit.solver, SolverConfig::Lbfgs(_)) {
            return Err(usage(
                "init has no use with solver \"lbfgs\": the optimum is the same from anywhere",
            ));
        }
        let whole = switches.iter().any(|switch| switch.score_whole_batches);
        Ok(self.scored(fit, whole))
    }

    /// The fit, which may be there already.
    fn scored(&mut self, fit: Fit, whole_batches: bool) -> Scored {
        let batch = match &fit.solver {
            SolverConfig::Adam(config) => Some(config.batch).filter(|_| whole_batches),
            SolverConfig::Lbfgs(_) => None,
        };
        let place = self.all.iter().position(|other| *other == fit).unwrap_or_else(|| {
            self.all.push(fit);
            self.all.len() - 1
        });
        Scored { fit: place, batch }
    }

    fn baseline(&mut self, place: usize, baseline: &Baseline) -> Result<Measured> {
        let how = match baseline {
            Baseline::Majority { .. } => Ok(How::Majority),
            Baseline::Nearest { cache, variants, .. } => {
                self.cache(cache.as_deref()).map(|cache| How::Nearest { cache, variants: variants.clone() })
            }
            Baseline::Head { cache, variants, settings, .. } => {
                self.head(place, cache.as_deref(), variants, settings)
            }
            Baseline::Pixels { size, crop, components, l2, .. } => {
                let small = Small { size: *size, crop: *crop, components: *components, l2: *l2 };
                small.check().map(|()| How::Pixels(small))
            }
        };
        let name = baseline.name();
        how.map(|how| Measured { name: name.into(), how }).map_err(|e| within("baseline", name, e))
    }

    fn head(
        &mut self,
        place: usize,
        cache: Option<&str>,
        variants: &Option<Vec<String>>,
        own: &Settings,
    ) -> Result<How> {
        let fit = Fit {
            cache: self.cache(cache)?,
            variants: variants.clone(),
            solver: settings::solver(&[own])?,
            init: None,
            first_seed: ((self.file.runs.len() + place) * self.file.seeds) as u64,
        };
        Ok(How::Head(self.scored(fit, false)))
    }
}

impl Small {
    fn check(&self) -> Result<()> {
        let is_part = |part: &f64| *part > 0.0 && *part <= 1.0;
        if !self.size.iter().all(|side| (1..=1000).contains(side)) {
            return Err(usage("size must be a width and a height from 1 to 1000"));
        }
        if !self.crop.iter().all(is_part) {
            return Err(usage(
                "crop must be a part of the width and one of the height, above 0 and at most 1",
            ));
        }
        match self.l2 > 0.0 && self.l2.is_finite() {
            true => Ok(()),
            false => Err(usage("l2 must be a number above 0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings_text::parse_toml;

    fn plan(text: &str) -> Result<Plan> {
        Plan::of(parse_toml(text)?)
    }

    #[test]
    fn the_articles_experiment_is_the_articles() {
        let plan = plan(include_str!("../../experiments/lfw10.toml")).unwrap();
        let [published, corrected] = &plan.conditions[..] else { panic!("two conditions") };
        assert_eq!((plan.seeds, plan.resplits, published.switches.len()), (20, 10, 5));
        assert_eq!(corrected.runs, plan.plain);
        for (place, (scored, plain)) in published.runs.iter().zip(&plan.plain).enumerate() {
            let (fit, plain) = (&plan.fits[scored.fit], &plan.fits[plain.fit]);
            let [SolverConfig::Adam(own), SolverConfig::Adam(right)] = [&fit.solver, &plain.solver] else {
                panic!("Adam")
            };
            assert_eq!(
                (own.patience, own.patience_resets, own.shuffle, own.drop_last),
                (21, false, false, true)
            );
            assert_eq!(
                (right.patience, right.patience_resets, right.shuffle, right.drop_last),
                (20, true, true, false)
            );
            assert_eq!((own.lr, own.batch, own.epochs), (0.01, 32, 100));
            assert_eq!(
                [fit.cache, plain.cache].map(|cache| plan.caches[cache].name.as_str()),
                ["stretched", "plain"]
            );
            assert_eq!((fit.init, scored.batch), (None, Some(32)));
            assert_eq!(plain.init.is_some(), plan.runs[place].0.ends_with("restart"));
            assert_eq!((fit.first_seed, plain.first_seed), (20 * place as u64, 20 * place as u64));
        }
        let published: Vec<f64> = plan.runs.iter().filter_map(|(_, told)| told.as_ref()?.accuracy).collect();
        assert_eq!(published, [0.6250, 0.7273, 0.7386, 0.6619, 0.6051]);
        let minutes: f64 = plan.runs.iter().filter_map(|(_, told)| told.as_ref()?.minutes).sum();
        assert!((minutes - plan.published_minutes.unwrap()).abs() < 0.1, "{minutes}");
    }

    #[test]
    fn a_fit_that_two_columns_show_is_planned_once_and_after_the_one_it_starts_from() {
        let text = "title = \"t\"\n[[cache]]\nname = \"c\"\n\
            [[run]]\nname = \"second\"\ninit = \"first\"\n[[run]]\nname = \"first\"\n\
            [[switch]]\nname = \"afresh\"\nignore_init = true\n\
            [[switch]]\nname = \"slow\"\nsettings = { lr = 0.001 }\n";
        let plan = plan(text).unwrap();
        assert_eq!(plan.conditions.len(), 1);
        // Two with no switch, one more without the start, two of another rate.
        assert_eq!(plan.fits.len(), 5);
        let [second, first] = plan.plain[..] else { panic!("two runs") };
        assert_eq!(plan.fits[second.fit].init, Some(first.fit));
        assert!(first.fit < second.fit);
        let afresh = &plan.switches[0].runs;
        assert_eq!((afresh[1], plan.fits[afresh[0].fit].init), (first, None));
    }
}
