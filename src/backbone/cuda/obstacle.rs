//! Why CUDA cannot be used on a machine, from what was found there.

use super::driver::{Driver, nvidia_driver};
use super::libraries::MissingLibrary;
use crate::backbone::registry::registry;

/// What was found on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaFacts {
    /// Whether ONNX Runtime exists with CUDA for this system.
    pub is_possible: bool,
    /// NVIDIA's driver.
    pub driver: Option<Driver>,
    /// The value of `CUDA_VISIBLE_DEVICES`, where it is set.
    pub visible_devices: Option<String>,
    /// The oldest branch of the driver that runs the pinned CUDA.
    pub least_driver: u32,
    /// The major version of the pinned CUDA.
    pub cuda: String,
    /// The first library that cannot be loaded, once the libraries were tried.
    pub missing: Option<MissingLibrary>,
}

/// Why CUDA cannot be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// What is wrong, as a part of a sentence.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl CudaFacts {
    /// Looks at this machine. Loads nothing.
    pub fn of_this_machine() -> Self {
        Self {
            is_possible: registry().wheel(true).is_some(),
            driver: nvidia_driver(),
            visible_devices: std::env::var("CUDA_VISIBLE_DEVICES").ok(),
            least_driver: registry().cuda.least_driver,
            cuda: registry().cuda.version.clone(),
            missing: None,
        }
    }

    /// A machine that has a GPU and a driver for it, with the files of this one: what an image of a container is built for.
    pub fn of_another_machine() -> Self {
        let driver = Some(Driver { version: None });
        Self { driver, visible_devices: None, ..Self::of_this_machine() }
    }

    /// The same, with the first library that cannot be loaded.
    pub fn with_missing(self, missing: Option<MissingLibrary>) -> Self {
        Self { missing, ..self }
    }
}

/// Returns the first reason against CUDA; `None` where nothing speaks against it.
pub fn obstacle(facts: &CudaFacts) -> Option<Obstacle> {
    let because = |what: String, remedy: &str| Some(Obstacle { what, remedy: remedy.into() });
    let Some(driver) = &facts.driver else {
        return because(
            "this machine has no NVIDIA driver".into(),
            "install the driver of your GPU, or use `device` cpu",
        );
    };
    if !facts.is_possible {
        let what = "ONNX Runtime has CUDA for Linux and Windows on x86-64 only";
        return because(what.into(), "use `device` cpu");
    }
    if let (Some(branch), Some(version)) = (driver.branch(), &driver.version)
        && branch < facts.least_driver
    {
        let CudaFacts { cuda, least_driver, .. } = facts;
        let what =
            format!("the NVIDIA driver {version} is too old for CUDA {cuda}, which needs {least_driver}");
        return because(what, "install a newer driver, or use `device` cpu");
    }
    if let Some(visible) = facts.visible_devices.as_deref().filter(|v| matches!(v.trim(), "" | "-1")) {
        let what = format!("CUDA_VISIBLE_DEVICES={visible} hides all devices");
        return because(what, "unset CUDA_VISIBLE_DEVICES, or use `device` cpu");
    }
    let MissingLibrary { name, reason, other_version } = facts.missing.as_ref()?;
    let what = match (reason, other_version) {
        (Some(reason), _) => format!("the library {name} cannot be loaded: {reason}"),
        (None, Some(other)) => {
            format!("the library {name} is missing, and {} is another version", other.display())
        }
        (None, None) => format!("the library {name} is missing"),
    };
    because(
        what,
        "run `setup` with `device` cuda, which installs it, or name the folder that has it as `cuda_libs`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which everything is there.
    fn complete() -> CudaFacts {
        let driver = Some(Driver { version: Some("580.65.06".into()) });
        CudaFacts { is_possible: true, driver, least_driver: 580, cuda: "13".into(), ..CudaFacts::default() }
    }

    fn said(facts: CudaFacts) -> String {
        obstacle(&facts).map_or_else(String::new, |found| found.what)
    }

    #[test]
    fn nothing_speaks_against_a_machine_that_has_everything() {
        assert_eq!(obstacle(&complete()), None);
        // A driver that does not say its version gets the benefit of the doubt.
        assert_eq!(obstacle(&CudaFacts { driver: Some(Driver { version: None }), ..complete() }), None);
        assert_eq!(obstacle(&CudaFacts { visible_devices: Some("1,0".into()), ..complete() }), None);
    }

    #[test]
    fn each_reason_is_named() {
        assert_eq!(said(CudaFacts { driver: None, ..complete() }), "this machine has no NVIDIA driver");
        assert!(said(CudaFacts { is_possible: false, ..complete() }).contains("x86-64 only"));
        let old = Driver { version: Some("535.104.05".into()) };
        assert_eq!(
            said(CudaFacts { driver: Some(old), ..complete() }),
            "the NVIDIA driver 535.104.05 is too old for CUDA 13, which needs 580"
        );
        for hidden in ["", "-1"] {
            let found = said(CudaFacts { visible_devices: Some(hidden.into()), ..complete() });
            assert_eq!(found, format!("CUDA_VISIBLE_DEVICES={hidden} hides all devices"));
        }
    }

    #[test]
    fn a_missing_library_is_named_with_what_is_known_of_it() {
        let missing = |reason: Option<&str>, other: Option<&str>| {
            let name = "libcudnn.so.9".to_string();
            let missing =
                MissingLibrary { name, reason: reason.map(Into::into), other_version: other.map(Into::into) };
            obstacle(&complete().with_missing(Some(missing))).unwrap()
        };
        assert_eq!(missing(None, None).what, "the library libcudnn.so.9 is missing");
        assert!(
            missing(None, Some("/usr/lib/libcudnn.so.8")).what.ends_with("libcudnn.so.8 is another version")
        );
        assert!(
            missing(Some("invalid ELF header"), None).what.ends_with("cannot be loaded: invalid ELF header")
        );
        assert!(missing(None, None).remedy.contains("`cuda_libs`"));
    }
}
