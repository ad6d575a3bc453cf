"""How Odoo finds the endpoint of a path: its routes in a werkzeug Map as odoo/addons/base/models/ir_http.py makes it
(strict_slashes=False), the PATH_INFO that its WSGI server makes of a request line, and languages as http_routing reads them.

The routes are of Odoo 16 to 18 (the controllers of web, website, mail, bus, payment, sale, point_of_sale, stock_barcode and
others), each with the route class of docs/odoo-routes.md that it belongs to; two where reading and writing differ. Odoo's
`/report/<converter>/...` refuses any converter that is not named here.
"""

import http.client
import types
import urllib.parse

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule
from werkzeug.serving import WSGIRequestHandler

REDIRECTS_MAX = 10  # as rerouting_limit

# Installed languages, by url code: some that a prefix finds, with a script and a region, two of three letters.
LANGUAGES = {"en": "en_US", "fr": "fr_FR", "fr_BE": "fr_BE", "de_CH": "de_CH", "sr@latin": "sr@latin", "zh_CN": "zh_CN", "es_419": "es_419", "fil": "fil_PH", "kab": "kab_DZ"}

ROUTES = [line.split() for line in """
    db-admin      /web/database/selector
    db-admin      /web/database/manager
    db-admin      /web/database/create
    db-admin      /web/database/duplicate
    db-admin      /web/database/drop
    db-admin      /web/database/backup
    db-admin      /web/database/restore
    db-admin      /web/database/change_password
    db-admin      /web/database/list
    login-page/login  /web/login
    login-page/login  /web/login/totp
    login         /web/session/authenticate
    login         /web/session/get_lang_list
    login         /auth/passkey/start-auth
    login         /auth/passkey/start-registration
    login-page/signup-reset  /web/signup
    login-page/signup-reset  /web/reset_password
    rpc-legacy    /xmlrpc/<service>
    rpc-legacy    /xmlrpc/2/<service>
    rpc-legacy    /jsonrpc
    rpc-json2     /json/1/<path:subpath>
    rpc-json2     /json/2/<model>/<method>
    rpc-web       /web/dataset/call_kw
    rpc-web       /web/dataset/call_kw/<path:path>
    rpc-web       /web/dataset/call_button
    rpc-web       /web/dataset/call_button/<path:path>
    rpc-web       /web/dataset/resequence
    rpc-web       /web/dataset/search_read
    rpc-web       /web/action/load
    rpc-web       /web/action/run
    export        /web/export/csv
    export        /web/export/xlsx
    export        /web/pivot/export_xlsx
    report        /report/<any(pdf,html,text):converter>/<reportname>
    report        /report/<any(pdf,html,text):converter>/<reportname>/<docids>
    report        /report/download
    barcode       /report/barcode
    barcode       /report/barcode/<barcode_type>/<path:value>
    upload        /web/binary/upload_attachment
    upload        /mail/attachment/upload
    upload        /base_import/set_file
    image         /web/image
    image         /web/image/<string:xmlid>
    image         /web/image/<int:id>
    image         /web/image/<string:model>/<int:id>/<string:field>
    image         /web/content
    image         /web/content/<int:id>/<string:filename>
    image         /web/content/<string:model>/<int:id>/<string:field>
    image         /web/filestore/<path:path>
    image         /website/image/<string:model>/<string:id>/<field>
    static        /web/assets/<string:unique>/<string:filename>
    static        /web/bundle/<string:name>
    static        /web/webclient/load_menus/<string:unique>
    static        /web/webclient/translations/<string:unique>
    static        /web/webclient/version_info
    static        /website/translations/<string:unique>
    static        /bus/websocket_worker_bundle
    static        /web/manifest.webmanifest
    static        /web/service-worker.js
    static        /favicon.ico
    static        /robots.txt
    ws-connect    /websocket
    poll          /websocket/peek_notifications
    poll          /websocket/update_bus_presence
    poll          /websocket/on_closed
    poll          /longpolling/poll
    discuss       /mail/message/post
    discuss       /mail/thread/data
    discuss       /mail/thread/messages
    discuss       /mail/rtc/channel/join_call
    discuss       /mail/view
    discuss       /discuss/channel/<int:channel_id>
    discuss       /discuss/channel/messages
    discuss       /im_livechat/init
    discuss       /im_livechat/get_session
    shop          /shop
    shop          /shop/page/<int:page>
    shop          /shop/category/<category>
    shop          /shop/<product>
    shop          /shop/cart
    shop          /shop/cart/update
    shop          /shop/payment
    shop          /shop/address
    public        /
    public        /blog
    public        /blog/<blog>/<post>
    public        /my
    public        /my/home
    public        /my/orders/<int:order_id>
    public        /event
    public        /event/<event>/register
    public        /events
    public/form   /contactus
    form          /website/form/<string:model_name>
    pay-client    /payment/pay
    pay-client    /payment/transaction
    pay-client    /payment/status
    pay-client    /payment/status/poll
    pay-client    /payment/confirmation
    pay-hook      /payment/stripe/webhook
    pay-hook      /payment/stripe/return
    pay-hook      /payment/adyen/notification
    pay-hook      /payment/paypal/ipn
    pay-hook      /payment/mollie/notify
    health        /web/health
    health        /websocket/health
    dev           /web/tests
    dev           /web/tests/mobile
    dev           /web/become
    dev           /doc
    dev           /doc/<path:path>
    dev           /doc-bearer/<path:path>
    pos           /pos/ui
    pos           /pos/web
    pos           /pos/sale_details_report
    pos           /pos-self/<int:config_id>
    pos           /pos-self-order/process-order/<device>
    pos           /pos_self_order/kiosk/increment_nb_print
    scan          /stock_barcode/scan_from_main_menu
    scan          /stock_barcode/get_barcode_data
    scan          /stock_barcode/rid_of_message_demo_barcodes
    other         /web
    other         /odoo
    other         /odoo/<path:subpath>
    other         /scoped_app/<path:subpath>
    other         /web/session/get_session_info
    other         /web/session/check
    other         /web/session/destroy
    other         /web/session/logout
    other         /web/session/modules
    other         /web/view/edit_custom
    other         /web/binary/company_logo
    other         /web/export/get_fields
    other         /web/export/formats
    other         /web/proxy/post/<path:path>
    other         /website/add
    other         /website/info
    other         /website/snippet/filters
    other         /sitemap.xml
    other         /calendar/notify
    other         /survey/start/<token>
    other         /r/<string:code>
    other         /hr_attendance/kiosk_mode_menu
    other         /jobs/apply/<job>
    other         /partners
""".strip().splitlines()]

MAP = Map([Rule(path, endpoint=tuple((classes + "/" + classes).split("/")[:2])) for classes, path in ROUTES], strict_slashes=False)
ADAPTER = MAP.bind("odoo")
MODULES = ("web", "website", "mail", "base_import", "point_of_sale", "payment", "stock_barcode")


def request_line(method, target):
    """werkzeug's handler as it is when it has read this request line."""
    handler = WSGIRequestHandler.__new__(WSGIRequestHandler)
    handler.command, handler.path, handler.request_version = method, target, "HTTP/1.1"
    handler.client_address, handler.headers, handler.connection, handler.rfile = ("127.0.0.1", 1), http.client.HTTPMessage(), None, None
    handler.server = types.SimpleNamespace(multithread=True, multiprocess=False, server_address=("127.0.0.1", 8069), ssl_context=None)
    return handler


def path_infos(method, target):
    """The paths that Odoo may see: as the server of its workers makes them, and as gevent's, which serves websockets."""
    infos = {urllib.parse.unquote(target.split("?", 1)[0])}
    try:
        made = request_line(method, target).make_environ()["PATH_INFO"]
        infos.add(made.encode("latin-1").decode("utf-8", "replace"))
    except (ValueError, UnicodeError):
        pass  # no environment, no request
    return ["/" + info.lstrip("/") for info in infos]  # werkzeug.wrappers.Request.path


def match(path, method):
    """(class, None) of the endpoint, or (None, where to) of a redirect that merges slashes, or None."""
    try:
        endpoint, _ = ADAPTER.match(path, method)
        return endpoint[0 if method in ("GET", "HEAD") else 1], None
    except RequestRedirect as other:
        return None, urllib.parse.unquote(urllib.parse.urlsplit(other.new_url).path)
    except HTTPException:
        return None


def nearest_language(code):
    """get_nearest_lang of http_routing over _lang_get_code."""
    code = LANGUAGES.get(code, code)
    if not code:
        return None
    short = code.partition("_")[0]
    return code if code in LANGUAGES.values() else next((each for each in LANGUAGES.values() if each.startswith(short)), None)


def static_file(path):
    """Root.get_static_file: /<module>/static/<resource> of an installed module is served before any routing."""
    parts = path.split("/", 3)
    return len(parts) == 4 and parts[1] in MODULES and parts[2] == "static" and bool(parts[3])


def route(path, method):
    """The class of the endpoint that `path` reaches, at once or by Odoo's own redirects; None when it is a 404."""
    if static_file(path):
        return "static"
    for _ in range(REDIRECTS_MAX):
        found = match(path, method)
        if found is None and "//" in path:
            path = path.replace("//", "/")
            continue
        if found is None:
            _, first, *rest = path.split("/", 2)
            if not nearest_language(first):
                return None
            path = "/" + (rest[0] if rest else "")
            found = match(path, method)
            if found is None:
                return None
        if found[0]:
            return found[0]
        path = found[1]
    return None
