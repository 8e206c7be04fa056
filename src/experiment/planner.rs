//! From the file of an experiment to a checked plan.

use super::file::{BaselineEntry, ConditionEntry, ExperimentFile, RunEntry, Settings, SwitchEntry};
use super::names::{check, entry, find, names, order, usage, within};
use super::plan::{
    BaselineMethod, Condition, Contestant, ExperimentPlan, FitSpec, NearestSettings, PixelSettings,
    PlannedBaseline, PlannedFit, PlannedRun, ScoredFit,
};
use super::settings;
use crate::error::Result;
use crate::head::SolverConfig;

/// Upper limit on seeds and on splits.
const MOST: usize = 10_000;

/// Checks a file and plans what it asks for.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage), naming the entry that is wrong.
pub(super) fn plan(file: ExperimentFile) -> Result<ExperimentPlan> {
    check(&file)?;
    if !(1..=MOST).contains(&file.seeds) || file.resplits == 1 || file.resplits > MOST {
        return Err(usage("seeds must be 1 to 10000, and resplits 0 or 2 to 10000"));
    }
    let mut planner = Planner { file: &file, order: order(&file.runs)?, fits: Vec::new() };
    let conditions = planner.conditions()?;
    let plain = planner.condition("", "", &[])?.runs;
    let switches = file.switches.iter().map(|one| planner.condition(&one.name, &one.about, &[one]));
    let switches = switches.collect::<Result<Vec<_>>>()?;
    let baselines = file.baselines.iter().enumerate().map(|(i, baseline)| planner.baseline(i, baseline));
    let baselines = baselines.collect::<Result<Vec<_>>>()?;
    let pairs = planner.pairs()?;
    let fits = planner.fits;
    let run = |run: &RunEntry| PlannedRun { name: run.name.clone(), published: run.published };
    Ok(ExperimentPlan {
        runs: file.runs.iter().map(run).collect(),
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
        pairs,
    })
}

/// A plan under way.
struct Planner<'a> {
    file: &'a ExperimentFile,
    /// Positions of the runs in the order in which they are planned.
    order: Vec<usize>,
    fits: Vec<PlannedFit>,
}

impl<'a> Planner<'a> {
    /// The conditions of the file, or one without switches.
    fn conditions(&mut self) -> Result<Vec<Condition>> {
        if self.file.conditions.is_empty() {
            return Ok(vec![self.condition("as written", "", &[])?]);
        }
        let file = self.file;
        let condition = |condition: &ConditionEntry| {
            let switches =
                condition.switches.iter().map(|name| self.switch(name)).collect::<Result<Vec<_>>>();
            let switches = switches.map_err(|e| within(&entry("condition", &condition.name), e))?;
            self.condition(&condition.name, "", &switches)
        };
        file.conditions.iter().map(condition).collect()
    }

    fn switch(&self, name: &str) -> Result<&'a SwitchEntry> {
        let names: Vec<&str> = self.file.switches.iter().map(|switch| switch.name.as_str()).collect();
        find("switches", name, &names).map(|i| &self.file.switches[i])
    }

    fn cache(&self, name: Option<&str>) -> Result<usize> {
        let names: Vec<&str> = self.file.caches.iter().map(|cache| cache.name.as_str()).collect();
        name.map_or(Ok(0), |name| find("cache", name, &names))
    }

    /// All runs with some switches on.
    fn condition(&mut self, name: &str, about: &str, switches: &[&SwitchEntry]) -> Result<Condition> {
        let mut runs: Vec<Option<ScoredFit>> = vec![None; self.file.runs.len()];
        for i in self.order.clone() {
            let owner = entry("run", &self.file.runs[i].name);
            runs[i] = Some(self.run(i, switches, &runs).map_err(|e| within(&owner, e))?);
        }
        Ok(Condition {
            name: name.into(),
            about: about.into(),
            switches: switches.iter().map(|switch| switch.name.clone()).collect(),
            runs: runs.into_iter().flatten().collect(),
        })
    }

    /// The run at `position`; `planned` holds those that it may start from.
    fn run(
        &mut self,
        position: usize,
        switches: &[&SwitchEntry],
        planned: &[Option<ScoredFit>],
    ) -> Result<ScoredFit> {
        let run: &RunEntry = &self.file.runs[position];
        let layers = [&self.file.settings, &run.settings].into_iter();
        let layers: Vec<&Settings> = layers.chain(switches.iter().map(|switch| &switch.settings)).collect();
        let cache = switches.iter().rev().find_map(|switch| switch.cache.as_deref()).or(run.cache.as_deref());
        let init = run.init.as_deref().filter(|_| !switches.iter().any(|switch| switch.ignore_init));
        let init = init.and_then(|name| self.file.runs.iter().position(|other| other.name == name));
        let spec = FitSpec {
            cache: self.cache(cache)?,
            variants: run.variants.clone(),
            solver: settings::solver(&layers)?,
            init: init.and_then(|init| planned[init]).map(|scored| scored.fit),
            first_seed: (position * self.file.seeds) as u64,
        };
        if spec.init.is_some_and(|init| self.fits[init].spec.cache != spec.cache) {
            return Err(usage("it starts from a run of another cache, whose features are others"));
        }
        if spec.init.is_some() && !matches!(spec.solver, SolverConfig::Adam(_)) {
            return Err(usage("init cannot be used with L-BFGS: the optimum is the same from any start"));
        }
        let whole_batches = switches.iter().any(|switch| switch.score_whole_batches);
        Ok(self.scored(spec, entry("run", &run.name), whole_batches))
    }

    /// Plans a fit, unless it is planned already.
    fn scored(&mut self, spec: FitSpec, owner: String, whole_batches: bool) -> ScoredFit {
        let batch = match &spec.solver {
            SolverConfig::Adam(config) => Some(config.batch).filter(|_| whole_batches),
            SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => None,
        };
        let fit = self.fits.iter().position(|other| other.spec == spec).unwrap_or_else(|| {
            self.fits.push(PlannedFit { spec, owner });
            self.fits.len() - 1
        });
        ScoredFit { fit, batch }
    }

    fn baseline(&mut self, position: usize, baseline: &BaselineEntry) -> Result<PlannedBaseline> {
        let name = baseline.name();
        let owner = entry("baseline", name);
        let method = match baseline {
            BaselineEntry::Majority { .. } => Ok(BaselineMethod::Majority),
            BaselineEntry::Nearest { cache, variants, .. } => self
                .cache(cache.as_deref())
                .map(|cache| BaselineMethod::Nearest(NearestSettings { cache, variants: variants.clone() })),
            BaselineEntry::Head { cache, variants, settings, .. } => {
                self.head(position, &owner, cache.as_deref(), variants, settings)
            }
            BaselineEntry::Pixels { size, crop, components, l2, .. } => {
                let pixels = PixelSettings { size: *size, crop: *crop, components: *components, l2: *l2 };
                pixels.check().map(|()| BaselineMethod::Pixels(pixels))
            }
        };
        let method = method.map_err(|e| within(&owner, e))?;
        Ok(PlannedBaseline { name: name.into(), method })
    }

    fn head(
        &mut self,
        position: usize,
        owner: &str,
        cache: Option<&str>,
        variants: &Option<Vec<String>>,
        own: &Settings,
    ) -> Result<BaselineMethod> {
        let spec = FitSpec {
            cache: self.cache(cache)?,
            variants: variants.clone(),
            solver: settings::solver(&[own])?,
            init: None,
            first_seed: ((self.file.runs.len() + position) * self.file.seeds) as u64,
        };
        Ok(BaselineMethod::Head(self.scored(spec, owner.to_string(), false)))
    }

    fn pairs(&self) -> Result<Vec<[Contestant; 2]>> {
        let names = names(self.file);
        let contestant = |name: &String| -> Result<Contestant> {
            let position = find("pairs", name, &names)?;
            Ok(match position.checked_sub(self.file.runs.len()) {
                None => Contestant::Run(position),
                Some(baseline) => Contestant::Baseline(baseline),
            })
        };
        let pair = |pair: &[String; 2]| Ok([contestant(&pair[0])?, contestant(&pair[1])?]);
        self.file.pairs.iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::toml::parse_toml as parse;

    fn plan_of(text: &str) -> ExperimentPlan {
        plan(parse(text).unwrap()).unwrap()
    }

    #[test]
    fn the_articles_experiment_is_planned_as_published() {
        let plan = plan_of(include_str!("../../experiments/lfw10.toml"));
        let [published, corrected] = &plan.conditions[..] else { panic!("two conditions") };
        assert_eq!((plan.seeds, plan.resplits, published.switches.len()), (20, 10, 5));
        assert_eq!(corrected.runs, plan.plain);
        for (place, (scored, plain)) in published.runs.iter().zip(&plan.plain).enumerate() {
            let (fit, plain) = (&plan.fits[scored.fit].spec, &plan.fits[plain.fit].spec);
            let [SolverConfig::Adam(own), SolverConfig::Adam(corrected)] = [&fit.solver, &plain.solver]
            else {
                panic!("Adam")
            };
            assert_eq!(
                (own.patience, own.patience_resets, own.shuffle, own.drop_last),
                (21, false, false, true)
            );
            assert_eq!(
                (corrected.patience, corrected.patience_resets, corrected.shuffle, corrected.drop_last),
                (20, true, true, false)
            );
            assert_eq!((own.lr, own.batch, own.epochs), (0.01, 32, 100));
            assert_eq!(
                [fit.cache, plain.cache].map(|cache| plan.caches[cache].name.as_str()),
                ["stretched", "plain"]
            );
            assert_eq!((fit.init, scored.batch), (None, Some(32)));
            assert_eq!(plain.init.is_some(), plan.runs[place].name.ends_with("restart"));
            assert_eq!((fit.first_seed, plain.first_seed), (20 * place as u64, 20 * place as u64));
        }
        let published: Vec<f64> = plan.runs.iter().filter_map(|run| run.published?.accuracy).collect();
        assert_eq!(published, [0.6250, 0.7273, 0.7386, 0.6619, 0.6051]);
        let minutes: f64 = plan.runs.iter().filter_map(|run| run.published?.minutes).sum();
        assert!((minutes - plan.published_minutes.unwrap()).abs() < 0.1, "{minutes}");
    }

    #[test]
    fn a_fit_that_two_conditions_show_is_planned_once_and_after_the_one_it_starts_from() {
        let text = "title = \"t\"\n[[cache]]\nname = \"c\"\n\
            [[run]]\nname = \"second\"\ninit = \"first\"\n[[run]]\nname = \"first\"\n\
            [[switch]]\nname = \"afresh\"\nignore_init = true\n\
            [[switch]]\nname = \"slow\"\nsettings = { lr = 0.001 }\n";
        let plan = plan_of(text);
        assert_eq!(plan.conditions.len(), 1);
        // Two without a switch, one more without the starting point, two with another learning rate.
        assert_eq!(plan.fits.len(), 5);
        let [second, first] = plan.plain[..] else { panic!("two runs") };
        assert_eq!(plan.fits[second.fit].spec.init, Some(first.fit));
        assert!(first.fit < second.fit);
        let afresh = &plan.switches[0].runs;
        assert_eq!((afresh[1], plan.fits[afresh[0].fit].spec.init), (first, None));
    }

    #[test]
    fn a_fit_is_named_after_the_first_run_or_baseline_that_it_belongs_to() {
        let text = "title = \"t\"\n[[cache]]\nname = \"c\"\n[[run]]\nname = \"plain\"\n\
            [[baseline]]\nkind = \"head\"\nname = \"linear\"\nsettings = { solver = \"lbfgs\", l2 = 0.1 }\n";
        let owners = plan_of(text).fits.into_iter().map(|fit| fit.owner);
        assert_eq!(owners.collect::<Vec<_>>(), ["run \"plain\"", "baseline \"linear\""]);
    }
}
