//! Lists of entity tags, read as RFC 9110 (section 8.8.3) writes them.

/// The value of an `If-Match` or `If-None-Match` header.
#[derive(Debug, PartialEq)]
pub(crate) enum EntityTags {
    Any,
    List(Vec<EntityTag>),
}

#[derive(Debug, PartialEq)]
pub(crate) struct EntityTag {
    pub(crate) is_weak: bool,
    pub(crate) opaque: Vec<u8>,
}

impl EntityTags {
    /// `"*" / #entity-tag`; none if it is neither.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let mut rest = value.trim_ascii();
        if rest == b"*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Some(Self::List(tags));
            }
            // A list may have empty elements.
            if !rest.starts_with(b",") {
                let (tag, after) = EntityTag::read(rest)?;
                tags.push(tag);
                rest = after.trim_ascii_start();
            }
            rest = match rest {
                [] => rest,
                [b',', after @ ..] => after,
                _ => return None,
            };
        }
    }
}

impl EntityTag {
    /// The tag that these bytes start with, and what is after it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let strong = bytes.strip_prefix(b"W/");
        let quoted = strong.unwrap_or(bytes).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let opaque = &quoted[..end];
        if !opaque
            .iter()
            .all(|byte| matches!(byte, 0x21..=0x7e | 0x80..))
        {
            return None;
        }
        let tag = Self {
            is_weak: strong.is_some(),
            opaque: opaque.to_vec(),
        };
        Some((tag, &quoted[end + 1..]))
    }
}
