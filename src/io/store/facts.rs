//! What a list says of an object.

/// An object in object storage, as a list of them says.
#[cfg_attr(not(feature = "cloud"), allow(dead_code, reason = "without object storage there is none"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectFacts {
    /// Its name.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Time of its last change, in nanoseconds since 1970.
    pub changed_ns: i64,
    /// What distinguishes its content from others of the same name, where there is such a tag.
    pub tag: Option<String>,
}
