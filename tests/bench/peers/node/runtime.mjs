// Lambda's Runtime API, as little of it as there can be. `aws-lambda-ric` is a native module that wants a compiler, CMake and
// the autotools where it is installed; this loop costs less than that does, which is in the peer's favour.

import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const asked = request(`${base}${path}`, { method, agent }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve({ headers: answer.headers, text: Buffer.concat(pieces).toString() }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Answers events until the process is ended. */
export async function serve(handler) {
  for (;;) {
    const { headers, text } = await call("GET", "/invocation/next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      const answer = await handler(JSON.parse(text), { awsRequestId: id });
      await call("POST", `/invocation/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      const reported = { errorType: error.name, errorMessage: error.message };
      await call("POST", `/invocation/${id}/error`, JSON.stringify(reported));
    }
  }
}
