use super::calls::{Act, Call};

/// What was to be durable, and what is wrong with the order in which that was done: one sentence
/// each. Each act must have ended before the next begins, and all before the answer begins. None
/// counts that began before the line `since`.
///
/// Of writes the last one before the answer counts, of all others the first that is in order.
pub(super) fn faults(calls: &[Call], since: usize, acts: &[Act], answer: &Call) -> Vec<String> {
    let mut faults = Vec::new();
    let mut previous: Option<&Call> = None;
    for act in acts {
        let alike = calls
            .iter()
            .filter(|call| call.act == *act && call.began > since);
        let after = previous.map_or(since, |previous| previous.ended);
        let found = match act {
            Act::Write(_) => alike
                .clone()
                .filter(|call| call.began < answer.began)
                .max_by_key(|call| call.ended)
                .filter(|call| call.began > after),
            _ => alike.clone().find(|call| call.began > after),
        };
        match (found, previous) {
            (Some(call), _) if call.began > answer.began => {
                faults.push(format!("{act} begins only after {}", answer.act));
            }
            (Some(call), _) => previous = Some(call),
            (None, Some(previous)) if alike.count() > 0 => faults.push(too_early(act, previous)),
            (None, _) => faults.push(format!("{act} is missing")),
        }
    }
    if let Some(previous) = previous.filter(|previous| previous.ended >= answer.began) {
        faults.push(too_early(&answer.act, previous));
    }
    faults
}

fn too_early(act: &Act, previous: &Call) -> String {
    format!("{act} begins before {} has ended", previous.act)
}

#[cfg(test)]
mod tests {
    use super::super::lines::calls;
    use super::*;

    const WRITE: &str = r#"1 write(5</d/a>, "abc", 3) = 3"#;
    const SYNC: &str = "1 fdatasync(5</d/a>) = 0";
    const NAME: &str = r#"1 linkat(AT_FDCWD</>, "/d/a", AT_FDCWD</>, "/d/b", 0) = 0"#;
    const FOLDER: &str = "1 fsync(6</d>) = 0";
    const ANSWER: &str = r#"2 sendto(9<socket:[7]>, "HTTP/1.1 201 Created"..., 9, 0, NULL, 0) = 9"#;

    /// What is wrong with a trace of one request.
    fn faults_of(lines: &[&str]) -> Vec<String> {
        let calls = calls(&lines.join("\n"));
        let [file, folder] = ["/d/a", "/d"].map(str::to_owned);
        let to = "/d/b".to_owned();
        let acts = [
            Act::Write(file.clone()),
            Act::Sync(file.clone()),
            Act::Name { from: file, to },
            Act::Sync(folder),
        ];
        let mut answers = calls.iter().filter(|call| call.act == Act::Answer(201));
        faults(&calls, 0, &acts, answers.next().unwrap())
    }

    #[test]
    fn the_right_order_has_no_fault() {
        assert!(faults_of(&[WRITE, SYNC, NAME, FOLDER, ANSWER]).is_empty());
        let more = [
            FOLDER, SYNC, WRITE, WRITE, SYNC, SYNC, NAME, FOLDER, FOLDER, ANSWER, WRITE,
        ];
        assert!(faults_of(&more).is_empty());
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(
            faults_of(&[WRITE, NAME, FOLDER, ANSWER]),
            ["the sync of /d/a is missing"]
        );
        assert_eq!(
            faults_of(&[WRITE, SYNC, NAME, ANSWER]),
            ["the sync of /d is missing"]
        );
        assert_eq!(
            faults_of(&[SYNC, NAME, FOLDER, ANSWER]),
            ["the last write to /d/a is missing"]
        );
        assert_eq!(faults_of(&[ANSWER]).len(), 4);
    }

    #[test]
    fn what_comes_too_late_is_told() {
        assert_eq!(
            faults_of(&[WRITE, NAME, SYNC, FOLDER, ANSWER]),
            ["the naming of /d/a as /d/b begins before the sync of /d/a has ended"]
        );
        assert_eq!(
            faults_of(&[WRITE, SYNC, WRITE, NAME, FOLDER, ANSWER]),
            ["the sync of /d/a begins before the last write to /d/a has ended"]
        );
        assert_eq!(
            faults_of(&[WRITE, SYNC, FOLDER, NAME, ANSWER]),
            ["the sync of /d begins before the naming of /d/a as /d/b has ended"]
        );
        assert_eq!(
            faults_of(&[WRITE, SYNC, NAME, ANSWER, FOLDER]),
            ["the sync of /d begins only after the answer 201"]
        );
    }

    #[test]
    fn a_sync_that_is_still_under_way_is_too_late() {
        let under_way = "1 fsync(6</d> <unfinished ...>";
        let ended = "1 <... fsync resumed>) = 0";
        assert!(faults_of(&[WRITE, SYNC, NAME, under_way, ended, ANSWER]).is_empty());
        assert_eq!(
            faults_of(&[WRITE, SYNC, NAME, under_way, ANSWER, ended]),
            ["the answer 201 begins before the sync of /d has ended"]
        );
        let writing = r#"3 write(5</d/a>, "abc", 3 <unfinished ...>"#;
        let written = "3 <... write resumed>) = 3";
        assert_eq!(
            faults_of(&[writing, SYNC, written, NAME, FOLDER, ANSWER]),
            ["the sync of /d/a begins before the last write to /d/a has ended"]
        );
    }

    #[test]
    fn a_sync_that_failed_is_missing() {
        let failed = "1 fdatasync(5</d/a>) = -1 EIO (Input/output error)";
        assert_eq!(
            faults_of(&[WRITE, failed, NAME, FOLDER, ANSWER]),
            ["the sync of /d/a is missing"]
        );
    }
}
