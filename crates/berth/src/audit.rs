use berth_audit::{AuditLog, AuditThread};

use crate::config::Config;

/// Opens the audit log, if there is to be one. The thread is to be dropped after all that may be recorded.
pub(crate) fn open(config: &Config) -> anyhow::Result<(Option<AuditLog>, Option<AuditThread>)> {
    let Some((path, settings)) = config.audit()? else {
        return Ok((None, None));
    };
    let (log, thread) = AuditLog::open(path, settings)?;
    Ok((Some(log), Some(thread)))
}
