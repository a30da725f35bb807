//! A model as the user names it: a plan, a package of one, or a model file that is compiled on the
//! way.

use crate::calibration;
use crate::manifest::{Manifest, model_name};
use anyhow::{Context, Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use microtome_compiler::{Options, Report, Samples, compile};
use microtome_package::{PackageBuf, plan_of};
use microtome_plan::{PlanBuf, Target};
use std::path::Path;

/// No model or plan file is longer.
const FILE_LEN_MAX: u64 = 1 << 30;

/// A model that is ready to run.
pub struct Model {
    /// The plan.
    pub plan: PlanBuf,
    /// What it was compiled from, unless the user gave a plan.
    pub source: Option<Source>,
}

/// The origin of a plan.
pub struct Source {
    /// The model file.
    pub bytes: Vec<u8>,
    /// What became of its nodes.
    pub report: Report,
}

/// What a user may ask of a compilation.
#[derive(Clone, Debug)]
pub struct How {
    /// What the plan is packed for.
    pub target: Target,
    /// Frames of a run, for a plan of a stream.
    pub pulse: Option<usize>,
}

impl How {
    /// A whole run, packed for `target`.
    pub const fn packed_for(target: Target) -> Self {
        Self {
            target,
            pulse: None,
        }
    }
}

impl Model {
    /// Loads the `.mtp` plan or that of the `.mtu` package, or compiles the model at `path`, for no target in particular.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_as(path, &How::packed_for(Target::Generic))
    }

    /// The same, with a model packed for `target`; says so if a plan is packed for another.
    pub fn load_for(path: &Path, target: Target) -> Result<Self> {
        let model = Self::load_as(path, &How::packed_for(target))?;
        if target != Target::Generic && !target.suits(&model.plan.plan()) {
            let packed_for = model.plan.plan().manifest().target;
            eprintln!(
                "note: the plan is packed for {packed_for}: compiled with --target {target} it is \
                 faster here"
            );
        }
        Ok(model)
    }

    /// The same, with a model compiled as `how` says.
    pub fn load_as(path: &Path, how: &How) -> Result<Self> {
        if is_package(path) {
            let plan = plan_of(&read_package(path)?);
            return Ok(Self { plan, source: None });
        }
        let bytes = read(path)?;
        let of = || format!("{}", path.display());
        if is_plan(path) {
            let plan = PlanBuf::new(&bytes).with_context(of)?;
            return Ok(Self { plan, source: None });
        }
        let name = model_name(path).unwrap_or("model");
        Self::compile(bytes, name, &Manifest::beside(path)?, how).with_context(of)
    }

    /// Compiles the float model at `path` to int8, by the samples in the file or folder `samples`.
    pub fn calibrated(path: &Path, samples: &Path, how: &How) -> Result<Self> {
        // The float plan knows what the inputs are.
        let float = Self::load_as(path, how)?;
        let of = || format!("{}", path.display());
        let Some(Source { bytes, .. }) = float.source else {
            bail!("{} is a plan already: give a model file", path.display());
        };
        let samples = calibration::read(samples, &float.plan.plan())?;
        let name = model_name(path).unwrap_or("model");
        Self::compile_with(bytes, name, &Manifest::beside(path)?, how, Some(&samples))
            .with_context(of)
    }

    /// Compiles the model in `bytes`, ONNX or TFLite.
    pub fn compile(bytes: Vec<u8>, name: &str, manifest: &Manifest, how: &How) -> Result<Self> {
        Self::compile_with(bytes, name, manifest, how, None)
    }

    fn compile_with(
        bytes: Vec<u8>,
        name: &str,
        manifest: &Manifest,
        how: &How,
        calibration: Option<&Samples>,
    ) -> Result<Self> {
        let mut options = Options::new(name);
        options.task = manifest.task();
        options.cascade = manifest.cascade();
        options.target = how.target;
        options.pulse = how.pulse;
        options.calibration = calibration;
        let compiled = compile(&bytes, &options)?;
        let source = Source {
            bytes,
            report: compiled.report,
        };
        Ok(Self {
            plan: compiled.plan,
            source: Some(source),
        })
    }

    /// Whether a run goes on where the last one ended.
    pub fn streams(&self) -> bool {
        let plan = self.plan.plan();
        plan.steps().any(|step| !step.kept().is_empty())
    }

    /// The model's name.
    pub fn name(&self) -> String {
        self.plan.plan().manifest().model.to_owned()
    }

    /// Multiply–accumulates of one inference.
    pub fn macs(&self) -> usize {
        self.plan
            .plan()
            .steps()
            .map(|step| step.op.operator().macs())
            .sum()
    }
}

/// The names of the targets, as a value of the command line.
pub fn target() -> impl TypedValueParser<Value = Target> {
    let names = Target::ALL.map(|target| PossibleValue::new(target.name()));
    PossibleValuesParser::new(names).try_map(|name| Target::named(&name).context("no target"))
}

/// Whether `path` names a plan and not a model file.
pub fn is_plan(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "mtp")
}

/// Whether `path` names a package of a plan.
pub fn is_package(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "mtu")
}

/// The package in the file at `path`.
pub fn read_package(path: &Path) -> Result<PackageBuf> {
    PackageBuf::new(&read(path)?).with_context(|| path.display().to_string())
}

/// The bytes of the model file at `path`.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("cannot read the model {}", path.display());
    let len = std::fs::metadata(path).with_context(context)?.len();
    if len > FILE_LEN_MAX {
        bail!(
            "{}: {len} bytes are more than a model may have",
            path.display()
        );
    }
    std::fs::read(path).with_context(context)
}
