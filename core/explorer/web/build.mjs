/* Checks the types and builds bundle/: explorer.js, explorer.css, page.html and the licences of what is bundled.

The first line of explorer.js names the SHA-256 of all that it was built from; tests/core/explorer/test_bundle.py
computes it again, without Node. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const HERE = import.meta.dirname;
const ALLOWED = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD"]);
const LICENCE_FILE = /^(licen[cs]e|copying)(\.|-|$)/i;

function sourceFiles(folder) {
  const entries = readdirSync(join(HERE, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? sourceFiles(path) : [path];
  });
}

function sourceDigest() {
  const hash = createHash("sha256");
  for (const path of [...sourceFiles("src"), "build.mjs", "package.json", "page.html", "tsconfig.json"].sort()) {
    hash.update(`${path}\0`).update(readFileSync(join(HERE, path))).update("\0");
  }
  return hash.digest("hex");
}

function bundledPackages(metafile) {
  const names = new Set();
  for (const path of Object.keys(metafile.inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(path);
    if (name) names.add(path.slice(0, name.index + "node_modules/".length + name[1].length));
  }
  return [...names].sort();
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(HERE, folder, "package.json"), "utf8"));
  if (!ALLOWED.has(license)) throw new Error(`${name} ${version} has the licence ${license}, which may not be bundled`);
  const file = readdirSync(join(HERE, folder)).find((entry) => LICENCE_FILE.test(entry));
  const text = file ? readFileSync(join(HERE, folder, file), "utf8").trim() : `${license}; the package holds no licence file.`;
  return `${name} ${version} (${license})\n\n${text}\n`;
}

try {
  execFileSync(process.execPath, [join(HERE, "node_modules/typescript/bin/tsc"), "--project", HERE], { stdio: "inherit" });
} catch {
  process.exit(1); // tsc has said why
}
const result = await build({
  absWorkingDir: HERE,
  entryPoints: { explorer: "src/main.tsx" },
  outdir: "bundle",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  alias: { "d3-transition": "./src/map/no_transition.ts" },
  legalComments: "none",
  metafile: true,
  write: false,
  define: { "process.env.NODE_ENV": '"production"' },
});
mkdirSync(join(HERE, "bundle"), { recursive: true });
for (const { path, text } of result.outputFiles) {
  // A notebook page holds the script inline, where "</script" would end it.
  const safe = path.endsWith(".js") ? text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--") : text;
  writeFileSync(path, `/* crosslens explorer, built from ${sourceDigest()} */\n${safe}`);
}
const rule = `\n${"-".repeat(80)}\n\n`;
const licences = bundledPackages(result.metafile).map(licenceOf);
writeFileSync(join(HERE, "bundle/LICENSES.txt"), `explorer.js contains these packages.\n${rule}${licences.join(rule)}`);
writeFileSync(join(HERE, "bundle/page.html"), readFileSync(join(HERE, "page.html")));
for (const { path, text } of result.outputFiles) console.log(`${path.slice(HERE.length + 1)}: ${(text.length / 1000).toFixed(1)} kB`);
