// The tag in JSX, by the declaration that the documentation gives. Nothing here runs.

const page = (
  <>
    <wechat-login scope="auto" />
    <wechat-login mode="embedded" app="website" return-to="/me" lang="en" purpose="For the guest book.">
      <a href="https://auth.example.com/authorize">Log in with WeChat</a>
    </wechat-login>
  </>
);

// @ts-expect-error: there is no such mode.
const wrong = <wechat-login mode="window" />;
// @ts-expect-error: there is no such attribute.
const unknown = <wechat-login returnTo="/me" />;

export { page, unknown, wrong };
