import { defineConfig } from 'vitest/config'

/**
 * unit: no root, no engines. fuzz: properties over odd and damaged input. netns: root, inside a throw-away network and
 * mount namespace (scripts/test.mjs makes it). lab: whole clusters on real engines, one file a user story, one after
 * the other.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/contract/**/*.unit.test.ts'],
          pool: 'threads',
          // For machines that are busy with something else.
          testTimeout: 30_000,
        },
      },
      { test: { name: 'fuzz', include: ['test/fuzz/**/*.test.ts'], pool: 'threads', testTimeout: 600_000 } },
      {
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts', 'test/contract/**/*.netns.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/support/global-setup.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
