//! The file of answers: Parquet, CSV or JSON Lines, one row an image, written in blocks.

use super::answer::Answer;
use crate::data::decode::DECODE_VERSION;
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::{Classifier, UNKNOWN, UNSURE};
use crate::io::digest::{Digest, sha256};
use crate::io::fs::{self, OutputFormat};
use crate::io::json;
use crate::io::parquet::{
    ColumnData, ColumnSpec, ColumnType, MAX_GROUP_ROWS, Table, TableWriter, Vectors, parquet_has_key,
};
use crate::run::Record;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::str::FromStr;

/// File format of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerFormat {
    /// One Parquet file.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// A JSON object a line.
    JsonLines,
}

impl FromStr for AnswerFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            _ => Err(Error::not_one_of(text, "a format of answers", &["parquet", "csv", "jsonl"])),
        }
    }
}

impl AnswerFormat {
    /// The format that the extension of a file name stands for.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it stands for none.
    pub fn from_path(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        extension.to_lowercase().parse().map_err(|_| {
            Error::new(Kind::Usage, "the name does not say which format is wanted")
                .at(path)
                .help("let the name in `out` end with .parquet, .csv or .jsonl")
        })
    }

    /// Whether the file at `path` holds earlier answers in this format.
    fn is_own(self, path: &Path) -> bool {
        let starts_with = |start: &str| {
            let mut bytes = vec![0; start.len()];
            File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).is_ok()
                && bytes == start.as_bytes()
        };
        match self {
            Self::Parquet => parquet_has_key(path, ANSWERS),
            Self::Csv => starts_with(&COLUMNS[..4].join(",")),
            Self::JsonLines => {
                let mut line = Vec::new();
                let read = File::open(path)
                    .map(|file| BufReader::new(file.take(MAX_LINE)).read_until(b'\n', &mut line));
                let object: serde_json::Map<_, _> = serde_json::from_slice(&line).unwrap_or_default();
                read.is_ok() && COLUMNS[..4].iter().all(|name| object.contains_key(*name))
            }
        }
    }
}

/// Longest first line that is examined, in bytes.
const MAX_LINE: u64 = 1 << 22;

/// Columns of every file of answers.
const COLUMNS: [&str; 5] = ["path", "image_sha256", "answer", "predicted", "probability"];

/// Key in the metadata of a Parquet file of answers: an [`Origin`].
const ANSWERS: &str = "headstart.answers";

/// What the answers in a file depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Origin {
    /// Digest of the record of the run.
    run: Digest,
    /// Version of the image decoders.
    decode: String,
    reject: Option<f64>,
    confidence: Option<f64>,
}

impl Origin {
    fn is_same_run(&self, other: &Self) -> bool {
        (&self.run, &self.decode) == (&other.run, &other.decode)
    }
}

/// A row of a file of answers.
pub(super) struct AnswerRow<'a> {
    pub path: &'a str,
    pub image_sha256: Digest,
    pub answer: &'a Answer,
}

/// A file of answers of one run.
pub(super) struct AnswerFile<'a> {
    pub path: &'a Path,
    pub format: AnswerFormat,
    pub classifier: &'a Classifier,
    pub record: &'a Record,
}

impl AnswerFile<'_> {
    /// Checks, before long work, that the file may be written.
    ///
    /// # Errors
    /// Those of [`fs::check_output`].
    pub fn check(&self) -> Result<()> {
        let is_own = |path: &Path| self.format.is_own(path);
        fs::check_output(self.path, OutputFormat { name: "file of answers", is_own: &is_own })
    }

    /// The answers of the same run that the file holds already. Only a Parquet file can be read back.
    ///
    /// # Errors
    /// [`Kind::Cache`] when its rows cannot be read.
    pub fn stored(&self) -> Result<HashMap<Digest, Answer>> {
        if self.format != AnswerFormat::Parquet || !self.format.is_own(self.path) {
            return Ok(HashMap::new());
        }
        let columns = [
            ColumnSpec::new("image_sha256", ColumnType::Digests),
            ColumnSpec::new("probabilities", ColumnType::Vectors),
        ];
        let distance = [ColumnSpec::new("distance", ColumnType::Floats)];
        let mut table = Table::read_with_optional(self.path, &columns, &distance)
            .map_err(|e| e.help("move the file away, or choose another `out`"))?;
        let origin = table.metadata.get(ANSWERS).and_then(|text| serde_json::from_str::<Origin>(text).ok());
        let distances = table.take_floats("distance");
        let has_distances = !distances.is_empty() || self.classifier.rejection().is_none();
        if !has_distances || !origin.is_some_and(|origin| origin.is_same_run(&self.origin())) {
            return Ok(HashMap::new());
        }
        let digests = table.take_digests("image_sha256");
        let Vectors { width, values } = table.take_vectors("probabilities");
        let answer = |(i, probabilities): (usize, &[f32])| Answer {
            probabilities: probabilities.to_vec(),
            distance: self.classifier.rejection().and_then(|_| distances.get(i).copied()),
        };
        Ok(digests.into_iter().zip(values.chunks_exact(width.max(1)).enumerate().map(answer)).collect())
    }

    /// Writes the rows. The same rows give the same bytes.
    ///
    /// # Errors
    /// Those of [`fs::write_output`].
    pub fn write(&self, rows: &[AnswerRow]) -> Result<()> {
        let is_own = |path: &Path| self.format.is_own(path);
        let output = OutputFormat { name: "file of answers", is_own: &is_own };
        fs::write_output(self.path, output, |file| {
            let written = match self.format {
                AnswerFormat::Parquet => self.write_parquet(rows, file),
                AnswerFormat::Csv => self.write_csv(rows, file),
                AnswerFormat::JsonLines => self.write_json_lines(rows, file),
            };
            written.map_err(|e| Error::io("write", self.path, e))
        })
    }

    fn write_parquet(&self, rows: &[AnswerRow], file: &mut (dyn Write + Send)) -> std::io::Result<()> {
        let empty = self.table(&[]).with_metadata(self.metadata());
        let mut writer = TableWriter::parquet(file, &empty.columns, &empty.metadata);
        rows.chunks(MAX_GROUP_ROWS).try_for_each(|block| writer.write(self.table(block).columns))?;
        writer.finish()
    }

    fn write_csv(&self, rows: &[AnswerRow], file: &mut (dyn Write + Send)) -> std::io::Result<()> {
        file.write_all(&self.flat_table(&[]).encode_csv(true))?;
        rows.chunks(MAX_GROUP_ROWS)
            .try_for_each(|block| file.write_all(&self.flat_table(block).encode_csv(false)))
    }

    fn write_json_lines(&self, rows: &[AnswerRow], file: &mut (dyn Write + Send)) -> std::io::Result<()> {
        rows.iter().try_for_each(|row| {
            let line = json::encode(&self.line(row));
            file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n"))
        })
    }

    fn origin(&self) -> Origin {
        let run = sha256(json::encode(self.record).as_bytes());
        let rule = self.classifier.rejection();
        Origin {
            run,
            decode: DECODE_VERSION.into(),
            reject: rule.map(|rule| rule.alpha),
            confidence: rule.and_then(|rule| rule.confidence),
        }
    }

    fn metadata(&self) -> [(&'static str, String); 2] {
        let classes = json::encode(&self.classifier.classes());
        [("headstart.classes", classes), (ANSWERS, json::encode(&self.origin()))]
    }

    /// The name of the answer: a class, [`UNSURE`] or [`UNKNOWN`].
    fn answer(&self, answer: &Answer) -> &str {
        if answer.is_unknown(self.classifier) {
            return UNKNOWN;
        }
        answer.decided(self.classifier).map_or(UNSURE, |class| &self.classifier.classes()[class])
    }

    fn predicted(&self, answer: &Answer) -> &str {
        &self.classifier.classes()[answer.predicted()]
    }

    /// All columns except the probabilities of all classes.
    fn columns(&self, rows: &[AnswerRow]) -> Vec<(String, ColumnData)> {
        let text = |get: &dyn Fn(&AnswerRow) -> String| ColumnData::Text(rows.iter().map(get).collect());
        let floats = |get: &dyn Fn(&Answer) -> Option<f32>| {
            ColumnData::Float32(rows.iter().map(|row| get(row.answer).unwrap_or(f32::NAN)).collect())
        };
        let values = [
            text(&|row| row.path.to_string()),
            ColumnData::Digests(rows.iter().map(|row| row.image_sha256).collect()),
            text(&|row| self.answer(row.answer).to_string()),
            text(&|row| self.predicted(row.answer).to_string()),
            floats(&|answer| Some(answer.probabilities[answer.predicted()])),
        ];
        let mut columns: Vec<_> = COLUMNS.map(String::from).into_iter().zip(values).collect();
        if self.classifier.rejection().is_some() {
            let p_known = |answer: &Answer| answer.p_known(self.classifier).map(|p| p as f32);
            columns.push(("p_known".into(), floats(&p_known)));
            columns.push(("distance".into(), floats(&|answer| answer.distance)));
        }
        columns
    }

    /// The rows with one column of probabilities, `[rows, classes]`.
    fn table(&self, rows: &[AnswerRow]) -> Table {
        let values = rows.iter().flat_map(|row| row.answer.probabilities.iter().copied()).collect();
        let width = self.classifier.classes().len();
        let all = ("probabilities".to_string(), ColumnData::Vectors(Vectors { width, values }));
        Table::new(self.columns(rows).into_iter().chain([all]))
    }

    /// The rows with a column of probabilities for each class, for formats without lists.
    fn flat_table(&self, rows: &[AnswerRow]) -> Table {
        let classes = self.classifier.classes().iter().enumerate().map(|(class, name)| {
            let values = rows.iter().map(|row| row.answer.probabilities[class]).collect();
            (format!("probability_{name}"), ColumnData::Float32(values))
        });
        Table::new(self.columns(rows).into_iter().chain(classes))
    }

    fn line<'a>(&'a self, row: &'a AnswerRow) -> AnswerLine<'a> {
        let AnswerRow { path, image_sha256, answer } = *row;
        let classes = self.classifier.classes().iter().map(String::as_str);
        AnswerLine {
            path,
            image_sha256,
            answer: self.answer(answer),
            predicted: self.predicted(answer),
            probability: answer.probabilities[answer.predicted()],
            p_known: answer.p_known(self.classifier).map(|p| p as f32),
            distance: answer.distance,
            probabilities: classes.zip(answer.probabilities.iter().copied()).collect(),
        }
    }
}

/// A line of a JSON Lines file.
#[derive(Serialize)]
struct AnswerLine<'a> {
    path: &'a str,
    image_sha256: Digest,
    answer: &'a str,
    predicted: &'a str,
    probability: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_known: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<f32>,
    probabilities: BTreeMap<&'a str, f32>,
}
