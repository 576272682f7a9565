import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import type { CliIo } from './io.ts'
import { buildProgram } from './program.ts'
import { version } from './version.ts'

const page = readFileSync(new URL('../../docs/reference/cli.md', import.meta.url), 'utf8')
const program = await buildProgram({} as CliIo, [], { everything: true })

/** Every command that does something, with its full name. */
function allCommands(parent: Command, path: string): { path: string; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = `${path} ${command.name()}`
    return [{ path: name, command }, ...allCommands(command, name)]
  })
}

describe('docs/reference/cli.md', () => {
  test.each(allCommands(program, 'twinlane'))('has a section on "$path" with every flag', ({ path, command }) => {
    const section = page.split(/^## /m).find((part) => part.split('\n')[0] === path)
    expect(section, `a section "## ${path}"`).toBeDefined()
    for (const { flags } of command.options) expect(section).toContain(`\`${flags}\``)
  })

  test('has no section on a command that does not exist', () => {
    const sections = [...page.matchAll(/^## (twinlane .*)$/gm)].map((match) => match[1])
    expect(sections.sort()).toEqual(
      allCommands(program, 'twinlane')
        .map(({ path }) => path)
        .sort(),
    )
  })
})

test('the version of the program is that of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  expect(version).toBe(manifest.version)
})
