import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { findFile } from '../base/file.ts'

/** A file of net.d that a runtime takes before ours. */
export interface Rival {
  readonly file: string
  /** Of the configuration, or of its first plugin; undefined when the file says none or cannot be parsed. */
  readonly type: string | undefined
  readonly name: string | undefined
}

/** What libcni looks at (ConfFiles); a runtime takes the first by name. */
const extensions = ['.conf', '.conflist', '.json']

/** Names of the files that a runtime takes before `own`, in its order (bytewise). */
export function selectEarlierFiles(names: readonly string[], own: string): string[] {
  return names.filter((name) => extensions.includes(extname(name)) && name < own).sort()
}

/** What one file says about itself. */
export function parseRival(file: string, text: string): Rival {
  try {
    const conf = JSON.parse(text) as { name?: unknown; type?: unknown; plugins?: { type?: unknown }[] } | null
    const type = conf?.type ?? conf?.plugins?.[0]?.type
    return { file, type: stringOrNone(type), name: stringOrNone(conf?.name) }
  } catch {
    return { file, type: undefined, name: undefined }
  }
}

/** The files of `folder` that a runtime takes before `own`. */
export async function findRivals(folder: string, own: string): Promise<Rival[]> {
  const earlier = selectEarlierFiles(await readdir(folder), own)
  return Promise.all(earlier.map(async (file) => parseRival(file, (await findFile(join(folder, file))) ?? '')))
}

/** One line for a person. */
export function describeRival({ file, type, name }: Rival): string {
  return `${file} (type ${type ?? 'unknown'}, name ${name ?? 'unknown'}) comes before it`
}

function stringOrNone(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
