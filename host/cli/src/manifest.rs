//! The manifest beside a model, `manifest.toml`: how its output is read, and when to ask for help.

use anyhow::{Context, Result};
use microtome_plan::{Cascade, Labels, Task};
use serde::Deserialize;
use std::path::Path;

/// The part of a model's manifest that goes into its plan. What a person or a training script
/// notes besides (data, licence, scores) is not read.
#[derive(Debug, Default, Deserialize)]
pub struct Manifest {
    task: Option<TaskEntry>,
    cascade: Option<CascadeEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum TaskEntry {
    Raw,
    Classify {
        #[serde(deserialize_with = "joined")]
        classes: String,
    },
    Grid {
        #[serde(deserialize_with = "joined")]
        classes: String,
        stride: u16,
        score_min: u8,
    },
}

#[derive(Debug, Deserialize)]
struct CascadeEntry {
    model: String,
    confidence_min: u8,
}

/// Class names as [`Labels`] has them, one a line.
fn joined<'de, D: serde::Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    Ok(Vec::<String>::deserialize(source)?.join("\n"))
}

/// The name of the model whose file is at `path`: a float file, `NAME.float.onnx`, is of the model
/// NAME.
pub fn model_name(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    Some(stem.strip_suffix(".float").unwrap_or(stem))
}

impl Manifest {
    /// The manifest for the model file at `path`: the `manifest.toml` in its folder when that
    /// says that it is for a model of this name. Without one the output stays raw.
    pub fn beside(path: &Path) -> Result<Self> {
        let manifest = path.with_file_name("manifest.toml");
        let stem = model_name(path).unwrap_or_default();
        match std::fs::read_to_string(&manifest) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", manifest.display())),
            Ok(text) => Self::parse(&text, stem).with_context(|| manifest.display().to_string()),
        }
    }

    /// The manifest in `text`, or an empty one when it is for another model than `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
            #[serde(flatten)]
            manifest: Manifest,
        }
        let named: Named = toml::from_str(text)?;
        Ok(if named.name == name {
            named.manifest
        } else {
            Self::default()
        })
    }

    /// How the first output is read.
    pub fn task(&self) -> Task<'_> {
        match &self.task {
            None | Some(TaskEntry::Raw) => Task::Raw,
            Some(TaskEntry::Classify { classes }) => Task::Classify {
                labels: Labels(classes),
            },
            Some(TaskEntry::Grid {
                classes,
                stride,
                score_min,
            }) => Task::Grid {
                labels: Labels(classes),
                stride: *stride,
                score_min: *score_min,
            },
        }
    }

    /// When a heavier model is asked.
    pub fn cascade(&self) -> Option<Cascade<'_>> {
        let CascadeEntry {
            model,
            confidence_min,
        } = self.cascade.as_ref()?;
        Some(Cascade {
            confidence_min: *confidence_min,
            model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "cells"
        seed = 1
        [task]
        kind = "grid"
        classes = ["background", "RBC"]
        stride = 8
        score_min = 128
        [cascade]
        model = "heavy"
        confidence_min = 190
    "#;

    #[test]
    fn task_and_cascade_are_read() {
        let manifest = Manifest::parse(TEXT, "cells").unwrap();
        let labels = Labels("background\nRBC");
        assert_eq!(
            manifest.task(),
            Task::Grid {
                labels,
                stride: 8,
                score_min: 128
            }
        );
        assert_eq!(
            manifest.cascade(),
            Some(Cascade {
                confidence_min: 190,
                model: "heavy"
            })
        );
    }

    #[test]
    fn another_models_manifest_is_not_taken() {
        let manifest = Manifest::parse(TEXT, "cells-heavy").unwrap();
        assert_eq!(manifest.task(), Task::Raw);
    }

    #[test]
    fn a_float_file_has_the_manifest_of_its_model() {
        let name = |path: &str| model_name(Path::new(path)).map(str::to_owned);
        assert_eq!(name("models/cells.float.onnx").as_deref(), Some("cells"));
        assert_eq!(name("cells.onnx").as_deref(), Some("cells"));
        assert_eq!(name("tcn.stream.onnx").as_deref(), Some("tcn.stream"));
    }
}
