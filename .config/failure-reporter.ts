import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

/** Prints each failure when it happens: the default reporter keeps them all for the end, which a run that takes an hour may not reach. */
export default class FailureReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    print(`${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors);
  }

  onTestSuiteResult(suite: TestSuite): void {
    print(`${suite.module.relativeModuleId} > ${suite.fullName}`, suite.errors());
  }

  onTestModuleEnd(module: TestModule): void {
    print(module.relativeModuleId, module.errors());
  }
}

function print(title: string, errors: readonly { readonly message: string }[] | undefined = []): void {
  for (const { message } of errors) process.stdout.write(`FAILED ${title}\n${message}\n`);
}
