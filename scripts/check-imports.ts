/**
 * Fails when a file of src/ imports a place that imports.json does not allow its own place, when two places import
 * each other, when node/ and cluster/ of one network meet, or when processes are started outside base/exec.ts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

interface Rule {
  purpose: string
  imports: string[]
}

const rules = JSON.parse(readFileSync('imports.json', 'utf8')) as Record<string, Rule>
const places = Object.keys(rules).sort((a, b) => b.length - a.length)
const processStarters = new Set(['node:child_process', 'child_process'])

function placeOf(file: string): string | undefined {
  return places.find((place) => file === place || file.startsWith(`${place}/`))
}

function importsOf(text: string): string[] {
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^'"\n;]*?(?:\{[^}]*\}[^'"\n;]*?)?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s*['"]([^'"]+)['"]/g,
  )
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

function sideOf(file: string): string | undefined {
  return /^src\/networks\/[^/]+\/(node|cluster)\//.exec(file)?.[1]
}

function problemsOf(file: string): string[] {
  const place = placeOf(file)
  if (place === undefined) return [`${file}: lies in no folder that imports.json names; add a line there`]
  const allowed = new Set([place, 'src/base', ...(rules[place]?.imports ?? []).map((name) => `src/${name}`)])
  return importsOf(readFileSync(file, 'utf8')).flatMap((specifier) => {
    if (processStarters.has(specifier) && file !== 'src/base/exec.ts')
      return [`${file}: starts processes; go through src/base/exec.ts`]
    if (!specifier.startsWith('.')) return []
    const target = normalize(join(dirname(file), specifier))
    const targetPlace = placeOf(target)
    if (targetPlace === undefined) return [`${file}: imports ${target}, which lies in no folder of imports.json`]
    if (!allowed.has(targetPlace)) return [`${file}: imports ${target}, but ${place} may not import ${targetPlace}`]
    const [from, to] = [sideOf(file), sideOf(target)]
    if (from !== undefined && to !== undefined && from !== to)
      return [`${file}: imports ${target}; node/ and cluster/ never meet`]
    return []
  })
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name))
  .map((name) => `src/${name}`)
const problems = files.flatMap(problemsOf)
for (const problem of problems) console.error(problem)
if (problems.length > 0) {
  console.error(
    `${problems.length} forbidden imports. Changing the structure? Change imports.json and ARCHITECTURE.md with it.`,
  )
  process.exit(1)
}
console.log(`imports: ${files.length} files follow imports.json`)
