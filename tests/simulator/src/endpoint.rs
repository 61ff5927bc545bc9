//! Who answers where.

use crate::{
    api::{self, Dialect, Found},
    authorize,
    cgi::{self, component},
    pages::{self, Page},
    qr,
    receive::Received,
    sns,
    wire::Answer,
    world::World,
};

/// Who answers at a path.
pub(crate) enum Endpoint {
    /// A page, or what a page loads.
    Page(fn(&mut World, &Received) -> Page),
    /// The API.
    Api(Dialect, fn(&mut World, &Received) -> Found),
}

impl Endpoint {
    pub(crate) fn of(path: &str) -> Option<Self> {
        use Dialect::{CgiBin, Sns, Token};
        use Endpoint::{Api, Page};
        Some(match path {
            "/connect/oauth2/authorize" => Page(authorize::answer),
            authorize::REPLY => Page(authorize::reply),
            "/connect/qrconnect" => Page(qr::answer),
            qr::POLL => Page(|world, received| Ok(qr::poll::answer(world, received))),
            _ if path.starts_with(qr::IMAGES) => Page(|world, received| Ok(qr::image(world, received))),
            _ if qr::embedded::is_script(path) => {
                Page(|world, received| Ok(qr::embedded::script(world, received)))
            }
            qr::quick::CHECK => Page(|world, received| Ok(qr::quick::check(world, received))),
            qr::quick::AUTHORIZE => Page(|world, received| Ok(qr::quick::authorize(world, received))),
            "/sns/oauth2/access_token" => Api(Sns, sns::access_token::exchange),
            "/sns/oauth2/refresh_token" => Api(Sns, sns::refresh_token::refresh),
            "/sns/oauth2/component/access_token" => Api(Sns, sns::access_token::exchange_component),
            "/sns/oauth2/component/refresh_token" => Api(Sns, sns::refresh_token::refresh_component),
            "/sns/userinfo" => Api(Sns, sns::userinfo::profile),
            "/sns/auth" => Api(Sns, sns::auth::verify),
            "/cgi-bin/token" => Api(Token, cgi::token::give),
            "/cgi-bin/stable_token" => Api(Token, cgi::stable_token::give),
            "/cgi-bin/user/info" => Api(CgiBin, cgi::user_info::one),
            "/cgi-bin/user/info/batchget" => Api(CgiBin, cgi::user_info::many),
            "/cgi-bin/component/api_start_push_ticket" => Api(CgiBin, component::start_push_ticket),
            "/cgi-bin/component/api_component_token" => Api(CgiBin, component::component_token),
            "/cgi-bin/component/api_create_preauthcode" => Api(CgiBin, component::create_preauthcode),
            "/cgi-bin/componentloginpage" => Page(component::login_page),
            "/cgi-bin/component/api_query_auth" => Api(CgiBin, component::query_auth),
            "/cgi-bin/component/api_authorizer_token" => Api(CgiBin, component::authorizer_token),
            _ => return None,
        })
    }

    pub(crate) fn answer(&self, world: &mut World, received: &Received) -> Answer {
        match self {
            Self::Page(page) => page(world, received).unwrap_or_else(|error| pages::refuse(error, received)),
            Self::Api(dialect, find) => {
                let found = find(world, received);
                api::answer(world, *dialect, found)
            }
        }
    }
}
