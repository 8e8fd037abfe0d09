//! axe-core: finds what keeps people with disabilities out. Its file comes from npm, by `scripts/test`.

use crate::person::Person;

const MISSING: &str = "ROOMFUL_AXE does not name axe-core's axe.min.js: run scripts/test, which installs it.";
const RULES: &str = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']";

impl Person {
    /// Sees that nothing on the screen breaks a rule of WCAG 2.2 AA, in light and in dark.
    pub async fn passes_axe(&self, state: &str) {
        let before = self.finds("document.documentElement.dataset.theme").await;
        if self.finds("typeof axe").await == "undefined" {
            let path = std::env::var_os("ROOMFUL_AXE").expect(MISSING);
            self.runs(&std::fs::read_to_string(path).expect(MISSING)).await;
        }
        let mut broken = Vec::new();
        for theme in ["light", "dark"] {
            self.runs(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            let script = format!(
                "const {{ violations }} = await axe.run({{ runOnly: {RULES}, resultTypes: ['violations'] }});
                 return violations.flatMap(({{ id, nodes }}) => nodes.map(({{ target, failureSummary }}) =>
                     `{theme}: ${{id}} at ${{target}}: ${{failureSummary}}`));"
            );
            broken.extend(self.awaits(&script).await.as_array().expect("axe gives a list").clone());
        }
        self.runs(&format!("document.documentElement.dataset.theme = {before}")).await;
        assert!(broken.is_empty(), "{state}: {broken:#?}");
    }
}
