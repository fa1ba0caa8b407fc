//! Pages for users, as a user follows them: what their blocks say is run.

use std::{fs, path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::{
    bed::Bed,
    failure::{Failure, Result},
    tools,
};

/// Each command of a block talks to servers on this machine, which are quick; a machine that compiles beside takes longer.
const BLOCK: Duration = Duration::from_mins(2);

/// A page of `docs`.
pub struct Page {
    blocks: Vec<Block>,
}

/// A fenced block.
struct Block {
    /// Title of its section; that of the page before the first section.
    section: String,
    language: String,
    text: String,
}

impl Page {
    /// `path`: below `docs`.
    pub fn read(path: &str) -> Result<Self> {
        Ok(Self::parse(&fs::read_to_string(tools::repository().join("docs").join(path))?))
    }

    fn parse(text: &str) -> Self {
        let (mut blocks, mut section) = (Vec::new(), String::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("# ")) {
                title.clone_into(&mut section);
            } else if let Some(language) = line.strip_prefix("```") {
                let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                let text = inside.join("\n");
                blocks.push(Block { section: section.clone(), language: language.to_owned(), text });
            }
        }
        Self { blocks }
    }

    /// Titles of the sections that have a block of a language.
    pub fn sections(&self, language: &str) -> Vec<&str> {
        let mut titles: Vec<&str> =
            self.blocks.iter().filter(|b| b.language == language).map(|b| &*b.section).collect();
        titles.dedup();
        titles
    }

    /// The blocks of a section, one after the other.
    pub fn text(&self, section: &str, language: &str) -> Result<String> {
        let found = self.blocks.iter().filter(|block| block.section == section && block.language == language);
        let found: Vec<&str> = found.map(|block| block.text.as_str()).collect();
        if found.is_empty() {
            return Err(Failure::new(format!("section {section:?} has no block marked {language}")));
        }
        Ok(found.join("\n---\n"))
    }

    /// The manifests of a section.
    pub fn manifests(&self, section: &str) -> Result<Vec<Value>> {
        let text = self.text(section, "yaml")?;
        text.split("\n---\n").map(|document| Ok(serde_saphyr::from_str(document)?)).collect()
    }
}

/// Runs a block in a folder, with the bed's tools, as the administrator of its cluster and of its OpenBao.
pub async fn run(bed: &Bed, folder: &Path, variables: &[(&str, &str)], block: &str) -> Result {
    let bao = bed.bao().await?;
    let program = tools::tool("bao")?;
    let tools = program.parent().unwrap_or(&program).display();
    let output = Command::new("sh")
        .args(["-euc", block])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{tools}:/usr/bin:/bin"))
        .env("HOME", folder)
        .env("KUBECONFIG", bed.kubeconfig_admin())
        .env("BAO_ADDR", &bao.address)
        .env("BAO_TOKEN", &bao.root_token)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let Ok(output) = timeout(BLOCK, output).await else {
        return Err(Failure::new(format!("waited {BLOCK:?} for the end of\n{block}")));
    };
    let output = output?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{block}\n{}", String::from_utf8_lossy(&output.stderr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_section_and_language() {
        let page =
            Page::parse("# Page\n```sh\na\n```\n## One\ntext\n```yaml\nb: 1\n---\nc: 2\n```\n```sh\nd\n```\n## Two\n");
        assert_eq!(page.sections("sh"), ["Page", "One"]);
        assert_eq!(page.text("One", "sh").unwrap(), "d");
        assert_eq!(page.manifests("One").unwrap().len(), 2);
        assert!(page.text("Two", "sh").is_err());
    }
}
