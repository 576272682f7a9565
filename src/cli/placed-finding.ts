import type { Finding } from '../lint/finding.ts'
import type { ManifestObject } from './manifest.ts'

/** A finding with its place in a file. */
export interface PlacedFinding extends Pick<Finding, 'rule' | 'severity' | 'message' | 'fix'> {
  readonly source: string
  readonly line: number
  readonly column: number
}

export function place(finding: Finding, manifest: ManifestObject | undefined): PlacedFinding | undefined {
  if (manifest === undefined) return undefined
  const { rule, severity, message, fix, field, position } = finding
  return { source: manifest.file, ...manifest.locate(field, position), rule, severity, message, fix }
}

/** `FILE:LINE:COLUMN: error: message [rule]`, which editors can follow. */
export function renderFinding({ source, line, column, severity, message, rule, fix }: PlacedFinding): string {
  const text = `${source}:${line}:${column}: ${severity}: ${message} [${rule}]`
  return fix === undefined ? text : `${text}\n  fix: ${fix}`
}
