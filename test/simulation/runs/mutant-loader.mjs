/**
 * Changes the text of production code as it is loaded: the mutant's edits, of which each must find its
 * text exactly once. The files themselves stay as they are.
 *
 *   PENNCLOUD_MUTANT='[{"file": "storage-nodes/…", "find": "…", "put": "…"}, …]'
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import ts from 'typescript';

const root = new URL('../../../', import.meta.url);
const sources = new Map();

for (const { file, find, put } of JSON.parse(process.env.PENNCLOUD_MUTANT ?? '[]')) {
  const { href } = new URL(file, root);
  const text = sources.get(href) ?? readFileSync(new URL(href), 'utf8');
  const found = text.split(find).length - 1;
  if (found !== 1) {
    console.error(`mutant: ${file} has the text to be replaced ${found} times, not once:\n${find}`);
    process.exit(2);
  }
  sources.set(
    href,
    text.replace(find, () => put),
  );
}

const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
const compiled = [...sources].map(([href, text]) => [
  href,
  ts.transpileModule(text, { compilerOptions: { ...compilerOptions, verbatimModuleSyntax: true } })
    .outputText,
]);

const hooks = `
  const sources = new Map();
  export function initialize(data) {
    for (const [url, source] of data) sources.set(url, source);
  }
  export async function load(url, context, nextLoad) {
    const source = sources.get(url.split('?')[0]);
    return source === undefined ? nextLoad(url, context) : { format: 'module', source, shortCircuit: true };
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`, { parentURL: import.meta.url, data: compiled });
