"""The words by which a tool gives away what it does, in nine languages. Data: how they are weighed is in `classify`.

Latin words are compared without accents and case. English ones stand in their ground form, and `-s`, `-es`, `-ed` and
`-ing` are taken off before; of other languages the forms in which a description begins are listed (infinitive, third
person). Chinese and Japanese have no spaces: these are looked for anywhere.
"""

from __future__ import annotations

from typing import Final


def vocabulary(*lines: str) -> frozenset[str]:
    """The words in these lines."""
    return frozenset(" ".join(lines).split())


READS: Final = vocabulary(
    "get list search read find fetch show view describe query count check lookup look retrieve download preview",
    "validate verify explain analyze analyse compare summarize calculate compute status whoami ping history",
    "browse inspect diff discover top stat stats resolve detect estimate translate help ask reason think wait",
    "watch tail log monitor outline profile lint test measure convert parse format head trace peek scan",
    "screenshot snapshot suggest recommend simulate quote is has can enumerate load tree echo info about observe",
    "review evaluate extract geocode directions forecast decode encode hash diagnose explore match locate map",
    "scrape crawl transcribe classify inquire aggregate summarise troubleshoot",
    # de fr es pt it nl
    "lesen liest lies auflisten listet zeigen zeigt zeige suchen sucht suche finden findet abrufen ruft holen",
    "holt lire lit lister liste chercher cherche rechercher recherche trouver afficher affiche obtenir consulter",
    "recuperer leer lee listar lista buscar busca encontrar mostrar muestra obtener obtiene consultar consulta",
    "ver recuperar ler le exibir mostra obter obtem procurar leggere legge elencare elenca cercare cerca trovare",
    "visualizzare ottenere ottiene lezen leest tonen toont zoeken zoekt vinden ophalen haalt weergeven opvragen",
)

ISSUED: Final = vocabulary(
    # To issue one of these is an act; an issue of a tracker is a thing.
    "quote quotes policy policies refund refunds invoice invoices certificate certificates card cards credit coupon",
    "coupons voucher vouchers receipt receipts endorsement license licenses bond ticket tickets token tokens",
)
READS_MAYBE: Final = vocabulary(
    # Reading, or as often an act (`convert_lead`, `test_alert`, `match_payment`): a sentence has to say which.
    "load test convert map monitor watch match classify review evaluate extract snapshot verify suggest ask translate",
    "quote log profile locate discover measure simulate validate",
)
READS_SAID: Final = vocabulary(
    # How a description begins that reads. As a name they could as well be an act: `return_item`.
    "return respond provide display contain report devuelve retorna renvoie restituisce",
)

LOW: Final = vocabulary(
    "label tag draft star unstar like unlike bookmark favorite favourite mark note pin unpin follow unfollow mute",
    "unmute snooze remember memorize annotate subscribe unsubscribe color highlight navigate click scroll",
    "hover open reorder reprioritize rearrange uncomplete unresolve unmark unlike react markieren etikettieren",
    "entwerfen entwirft merken brouillon etiqueter borrador etiquetar rascunho",
    "marcar bozza etichettare concept labelen markeren",
)

MEDIUM: Final = vocabulary(
    "create update edit set add write upload move assign unassign close reopen comment insert modify patch put",
    "replace rename schedule enable apply import sync change copy duplicate clone fork append attach link unlink",
    "generate build make configure register upsert save store log complete transition archive unarchive toggle",
    "resize sort react record submit start stop resume pause cancel new respond accept decline dismiss request",
    "initiate process manage do perform handle bind link unlink type fill press select drag upload switch",
    "setup refresh pull",
    "restore export import init initialize join leave increase decrease increment fix format index tune capture",
    "ingest merge publish erstellen erstellt anlegen legt bearbeiten bearbeitet andern andert aktualisieren",
    "aktualisiert hinzufugen fugt schreiben schreibt hochladen verschieben speichern speichert planen setzen",
    "setzt umbenennen creer cree modifier modifie ajouter ajoute ecrire ecrit mettre met televerser deplacer",
    "renommer enregistrer crear crea editar edita modificar modifica actualizar actualiza anadir agregar agrega",
    "escribir escribe subir mover criar cria alterar altera atualizar atualiza adicionar adiciona escrever",
    "escreve enviar-arquivo salvar creare modificare aggiornare aggiorna aggiungere aggiunge scrivere scrive",
    "caricare spostare salvare rinominare aanmaken maakt bewerken bewerkt wijzigen wijzigt bijwerken toevoegen",
    "voegt schrijven schrijft uploaden verplaatsen reassign resync regenerate renew upgrade",
    # what closes, assigns, records or switches on
    "archivieren archiviert schliessen schliesst zuweisen weist erfassen erfasst aktivieren aktiviert importieren",
    "importiert andern planen activer cloturer cloture clore archiver archive assigner assigne affecter affecte",
    "rattacher rattache rouvrir rouvre marquer marque generer genere planifier planifie importer importe",
    "changer definir definit terminer termine associer associe registrar registra asignar asigna cerrar cierra",
    "archivar archiva generar genera programar programa marcar marca cambiar cambia definir vincular vincula",
    "importar importa atribuir atribui fechar fecha arquivar arquiva gerar gera agendar agenda mudar muda",
    "registrare registra assegnare assegna chiudere chiude archiviare archivia generare pianificare pianifica",
    "cambiare cambia importare toewijzen wijst sluiten sluit archiveren archiveert inplannen importeren registreren",
)

HIGH: Final = vocabulary(
    "delete remove destroy drop purge wipe erase truncate discard trash clear empty unpublish overwrite rm rmdir",
    "del send publish post tweet share email mail sms message reply forward broadcast notify announce dm whatsapp",
    "fax invite grant revoke permit authorize impersonate elevate promote demote ban kick suspend deactivate",
    "merge deploy redeploy execute exec run eval invoke push commit rollback revert reset restart reboot kill",
    "terminate shutdown uninstall install migrate provision deprovision scale restore rotate disable block",
    "unblock force rebase buy purchase checkout subscribe-paid rent book order hire dial call release ship",
    "dispatch trigger cancel abort approve reject authorise enroll unenroll evict drain cordon taint detach",
    "unassign-all transfer submit evaluate-js rollout sudo shell spawn bash launch act loschen loscht lösche",
    "entfernen entfernt senden sendet verschicken verschickt versenden veroffentlichen teilen teilt einladen",
    "ausfuhren fuhrt bestellen bestellt kaufen kauft kundigen zurucksetzen freigeben widerrufen sperren supprimer",
    "supprime effacer efface retirer envoyer envoie publier publie partager partage inviter executer execute",
    "acheter achete commander commande deployer revoquer resilier reinitialiser eliminar elimina borrar borra",
    "quitar enviar envia publicar publica compartir comparte invitar ejecutar ejecuta comprar compra pedir",
    "desplegar revocar cancelar restablecer excluir exclui apagar apaga remover deletar compartilhar compartilha",
    "convidar executar executa implantar revogar eliminare cancellare cancella rimuovere rimuove inviare invia",
    "spedire pubblicare pubblica condividere condivide invitare eseguire esegue acquistare acquista comprare",
    "ordinare revocare ripristinare verwijderen verwijdert wissen wist verzenden verzendt versturen verstuurt",
    "publiceren publiceert delen deelt uitnodigen uitvoeren voert kopen koopt bestellen bestelt intrekken",
    "clean stash unstash cherry squash amend adopt disown pair unpair flash forget throttle sever assume seal unseal",
    "bootstrap blackhole",
    "abandon blacklist whitelist allowlist blocklist cleanup cutover deregister disassociate disconnect dissolve",
    "expire",
    "expunge finalize freeze unfreeze inject invalidate liquidate lock unlock offboard onboard override prune",
    "quarantine",
    "recreate reimage relinquish resubmit seize shred takeover teardown undeploy unban undelete unlist vacate void",
    "waive",
    "yank zap trim containerize failback mutate evacuate confiscate forfeit disburse remit countersign notarize",
    "activate reactivate reboot rebuild reserve power flush recycle hibernate halt boot failover resize promote",
    "downgrade",
    "unmount mount wrap unwrap redeem replay reassociate redirect route eject ssh connect logout refund borrow",
    "lend repay supply withdraw deposit mint burn swap stake unstake resend rerun retry reissue unshare unsend expel",
    "obliterate nuke unregister decommission",
    # of trades and offices: what these do is done
    "sell confirm transmit remind emit lodge place accelerate annul appeal attest bid charge chargeback collect",
    "debit deduct deliver disclose discharge",
    "dispense donate dump enact enforce escalate exchange exempt exercise fulfill fulfil fire foreclose garnish give",
    "hedge impose intercept levy lease nullify oust overrule penalize pledge procure ratify recall reconcile",
    "reimburse reinstate rescind retire retract reverse roll sanction serve settle spend strike surrender take tip",
    "topup unwind vote wager withhold writeoff adjudicate administer admit vaccinate immunize insure reinsure",
    "underwrite subrogate arbitrate litigate subpoena sue efile incorporate dissolve terminate suspend reassign",
    "reload respawn reprovision rekey remount replicate republish reroute",
    "unauthorize unquarantine unsuspend fence isolate",
    "detach unbind unmask arm disarm squelch pop lrem srem zrem xdel",
    # what decides, forwards, installs or takes a right
    "buchen bucht reservieren reserviert bestatigen genehmigen genehmigt ablehnen lehnt stornieren storniert",
    "weiterleiten leitet deaktivieren deaktiviert entsperren",
    "berechtigen autorisieren installieren installiert deinstallieren neustarten einreichen reicht kundigt sperrt",
    "approuver approuve valider valide rejeter rejette refuser refuse desactiver desactive bloquer bloque debloquer",
    "reserver confirmer confirme autoriser autorise accorder accorde installer installe desinstaller redemarrer",
    "redemarre fusionner fusionne",
    "soumettre soumet annuler annule transferer transfere repondre transmettre resilie revoque vider vide purger purge",
    "reservar emitir emite confirmar confirma aprobar aprueba rechazar rechaza desactivar desactiva bloquear",
    "bloquea desbloquear autorizar autoriza conceder",
    "instalar instala desinstalar reiniciar reinicia reenviar reenvia anular anula cancela vaciar vacia despliega",
    "revoca fusionar aprovar aprova rejeitar rejeita desativar desativa instalar encaminhar encaminha mesclar limpar",
    "prenotare prenota emettere emette confermare conferma approvare approva rifiutare rifiuta disattivare",
    "disattiva bloccare blocca autorizzare autorizza installare",
    "boeken boekt reserveren bevestigen disinstallare riavviare riavvia inoltrare inoltra annullare annulla",
    "svuotare svuota goedkeuren keurt afwijzen",
    "deactiveren deactiveert blokkeren blokkeert autoriseren installeren herstarten doorsturen annuleren annuleert",
)

NOUNS: Final = vocabulary(
    # Verbs that stand for a thing as often: alone they act, beside another verb they are what it is about.
    "message email mail post order deploy release commit run notify label tag share merge call sms book job draft star",
    "pipeline transfer block trigger request record change update store link batch bulk index build export import copy",
    "format process log schedule comment note report reply tweet dm fax fork branch test review query map list search",
    "view open new draft star log profile head trace tree note mark pin like ship rent hire act shell bash exec eval",
    "place charge collect deliver exchange exercise fire lease levy recall roll tip vote page pop reverse give serve",
    "appeal bid dump hedge pledge settle strike spend",
    "script format move set read count status history stat stats archive sort type press fill watch feature",
)
ADJECTIVES: Final = vocabulary("open new empty clear complete")
SMALL: Final = vocabulary(
    "label labels tag tags reaction reactions emoji star stars favorite favorites bookmark bookmarks category",
    "categories watcher watchers watchlist like highlight pin",
)

WEIGHTY: Final = vocabulary(
    # What it is about, when that is written: access, people, code and machines.
    "permission permissions acl role roles member members membership user users collaborator collaborators admin",
    "administrator owner ownership password passwords secret secrets credential credentials key keys token tokens",
    "webhook webhooks sso policy policies firewall dns domain certificate access visibility public code file",
    "files repository repo branch workflow pipeline deployment release infrastructure server cluster node pod",
    "namespace resource resources deployment helm container instance bucket database schema table migration",
    "function lambda worker script command sql query job cron environment variable variables config production",
    "oauth service project alias vm commit push tag ref build run script runner secret protection hook extension",
    "branching group groups restriction restrictions vms machine machines virtualmachine site sites website app apps",
    "application applications hosting identity identities login account accounts tenant tenants firewall network",
    "signin sign networks volume volumes disk disks record records dashboard rule rules",
    # de fr es pt it nl
    "benutzer nutzer gruppe gruppen rolle rollen passwort kennwort berechtigung berechtigungen rechte zugriff",
    "schlussel",
    "utilisateur utilisateurs groupe groupes passe droits droit acces cle usuario usuarios grupo grupos rol contrasena",
    "permiso permisos acceso clave senha permissao acesso chave funcao utente utenti gruppo ruolo permesso permessi",
    "accesso chiave gebruiker gebruikers groep rol wachtwoord rechten toegang sleutel",
)

SHARED: Final = vocabulary(
    # What people write and keep together: to create or edit one is seen, and put right, by those who work with it. What
    # is as often a record of a shop, a database or a machine (an item, an entry, a version) is none of these.
    "issue issues task tasks subtask subtasks todo todos comment comments page pages document documents doc docs note",
    "notes card cards board boards checklist event events meeting meetings contact contacts ticket tickets project",
    "projects milestone milestones sprint sprints epic epics story stories thread threads discussion review reviews",
    "label labels tag tags category categories sheet sheets spreadsheet slide slides presentation deck section",
    "sections draft drafts bookmark bookmarks filter filters goal goals reminder reminders title body description",
    "summary reaction reactions emoji watchlist lead leads deal deals opportunity survey surveys question questions",
    "answer answers folder folders notebook timesheet worklog worklogs idea ideas draft diagram flowchart canvas pull",
    "translation translations glossary feedback rating annotation annotations highlight article articles wiki",
    "customer customers lesson course chapter timeline assignee assignees reviewer reviewers watcher watchers worklog",
    # de fr es pt it nl
    "aufgabe aufgaben kommentar kommentare seite seiten dokument dokumente notiz notizen termin termine kontakt",
    "kontakte",
    "projekt projekte eintrag eintrage ordner vorlage tache taches projet projets commentaire commentaires document",
    "evenement evenements contact devis fiche ligne lignes produit produits tiers client clients dossier categorie",
    "conge conges intervention expedition ticket entrepot objet tarea tareas comentario comentarios pagina paginas",
    "documento documentos nota notas evento eventos contacto contactos proyecto proyectos producto productos cliente",
    "clientes gasto gastos ingreso ingresos ahorro cita citas carpeta plantilla tarefa tarefas projeto projetos",
    "contato",
    "contatos compromisso attivita commento commenti documenti evento eventi contatto contatti progetto progetti",
    "prodotto prodotti cartella taak taken opmerking opmerkingen documenten afspraak afspraken map bestanden",
)
CJK_SHARED: Final = (
    "任务 評論 评论 文档 日程 标签 笔记 备注 页面 卡片 联系人 公告 会话 消息卡片 素材",
    "タスク コメント 文書 ドキュメント 予定 メモ ページ 連絡先 請求書 見積書 納品書 取引",
)

DATABASES: Final = vocabulary(
    # By these names a connector or a query is one of a database or of a queue.
    "mysql postgres postgresql sqlite mongodb athena bigquery snowflake redshift databricks clickhouse duckdb presto",
    "trino spanner cassandra couchbase scylla neo4j mariadb oracle mssql dynamodb influxdb timescale hive spark",
    "synapse teradata vertica firebird singlestore cockroach tidb surrealdb arangodb orientdb nebula redis valkey",
    "elasticsearch opensearch firestore firebase kafka rabbitmq memcached etcd qdrant pinecone weaviate milvus chroma",
)

FINANCE: Final = vocabulary(
    "pay payment payments payout payouts refund refunds charge charges transfer transfers transaction",
    "transactions trade trades order orders buy sell short liquidate position positions withdraw withdrawal",
    "deposit swap stake unstake invoice invoices billing bill subscription subscriptions payee beneficiary iban",
    "wire remit remittance disburse wallet wallets crypto mint bridge token-transfer dca loan mortgage credit",
    "debit account-transfer price prices coupon coupons stock stocks option options exercise margin leverage",
    "allocation allocations",
    "dispute disputes payroll salary tax card cards gift checkout money cash fund funds settle settlement capture",
    "memecoin coin coins erc erc onchain aave morpho borrow lend lending repay collateral staking liquidity defi",
    "onchain erc20 nft nfts weth usdc usdt btc eth airdrop",
    "comprobante comprobantes cfdi nfe nfse reimburse reimbursement reimbursements spend donate donation donations",
    "tip topup wager wagers bet bets bid bids",
    "hedge dividend dividends bond bonds securities etf brokerage ach sepa venmo treasury escrow chargeback",
    "chargebacks gratuity bounty auction futures perpetual perp liquidation stoploss writeoff",
    "payable receivable remittances",
    "unbond redelegate restake harvest multisig tx txs allowance allowances savings paylink paylinks vat kyc",
    "creditnote creditnotes debitnote purchaseorder salesorder bankaccount bankaccounts standingorder directdebit",
    "giftcard giftcards paymentlink paymentlinks",
    "zap zaps lightning satoshi satoshis sats lnurl purchase promotion promotions discount discounts ads adset advert",
    "promo promos promocode promocodes rebate rebates tariff tariffs loyalty pricing pricelist pricelists surcharge",
    "surcharges fee fees commission commissions royalty royalties",
    "payslip payslips paycheck paychecks wage wages dunning arrears overdraft forex fx cfd cfds perp perps ledger",
    "mandate qr checkouts installment escrow plan bezahlen zahlt zahlen zahlung uberweisen uberweist uberweisung",
    "lastschrift konto erstatten rechnung payer paie paiement virement virer rembourser remboursement facture",
    "facturer pagar paga pago transferir transferencia reembolsar reembolso factura cobrar pagamento reembolsar",
    "fatura transferencia pix boleto pagare pagamento bonifico rimborsare rimborso fattura addebitare betalen",
    "betaalt betaling overmaken overboeken overboeking terugbetalen factuur incasso",
)

LEGAL: Final = vocabulary(
    "sign signature signatures esign countersign envelope envelopes contract contracts nda agreement agreements",
    "terms tos notarize notary litigation lawsuit court docket legal waiver consent deed will testament filing",
    "attest affidavit subpoena litigate arbitrate arbitration ratify pleading patent trademark bylaws shareholder",
    "signatory signatories notarization injunction warrant parole custody probate guardianship powerofattorney",
    "sublease addendum amendment amendments retainer guarantor eviction evictions summons deposition depositions",
    "efile incorporation attorney tenancy lease leases certidao certidoes notarial motion motions",
    "unterschreiben unterzeichnen vertrag klage signer contrat firmar contrato assinar firmare contratto",
    "ondertekenen",
)

MEDICAL: Final = vocabulary(
    "drug drugs prescribe prescription prescriptions medication medications patient patients diagnosis diagnoses",
    "dosage dose",
    "bloodpressure heartrate medicalrecord medicalrecords healthrecord healthrecords labresult labresults labtest",
    "labtests vaccination vaccinations ventilator chemotherapy dialysis ultrasound mri xray oncology obstetric",
    "refill refills rx transfusion biopsy infusion ecg ekg physician physicians nurse nurses anesthesia",
    "openehr hl7 dicom snomed loinc radiology pathology anamnesis triage",
    "administer dispense discharge admit vaccinate immunize vitals specimen surgery surgical admission admissions",
    "nursing icd pharmacy pharmacies therapy treatment treatments symptom symptoms telehealth insulin glucose",
    "servicerequest diagnosticreport documentreference familymemberhistory communicationrequest medicationstatement",
    "immunization allergy allergyintolerance encounter fhir ehr emr clinical medicationrequest observation lab",
    "labs careplan careteam episodeofcare episode condition procedure appointment-medical referral vaccine hospital",
    "phi clinician practitioner consultation consultations dental dentist optometry telemedicine ward",
    "rezept patienten verschreiben prescrire ordonnance recetar receta prescrever receita prescrivere ricetta",
    "voorschrijven recept",
)

INSURANCE: Final = vocabulary(
    "claim claims policy policies insurance insured policyholder underwrite underwriting coverage premium endorsement",
    "beneficiary",
    "cession cessions bordereaux insureds preauthorization insure reinsure insurer reinsurance bordereau fnol",
    "underwriter deductible copay claimant adjuster annuity",
    "adjudicate subrogate subrogation",
    "versicherung schaden assurance sinistre seguro siniestro sinistro assicurazione polizza verzekering",
    "schadeclaim",
)

UNCERTAIN: Final = vocabulary(
    # Also everyday words: they count as a vertical only beside another word of it, or a field of it.
    "order orders card cards plan account option options position positions price prices credit claim claims",
    "policy will sign terms condition procedure observation lab labs consent contract contracts transaction",
    "transactions fund token gift short bridge tax bill capture agreement agreements filing legal coverage",
    "premium transfer transfers envelope dose deed encounter exercise money cash qr deposit legal subscription",
    "subscriptions wallet wallets coupon coupons checkout checkouts margin stock stocks buy sell billing settle",
    "tip topup bid bids bond bonds treasury auction futures perpetual dispense discharge admit admission admissions",
    "administer treatment treatments therapy specimen vitals patent attest spend payable receivable adjudicate hedge",
    "donation donations bet bets bounty securities symptom symptoms surgery insure",
    "allocation allocations",
    "lease leases motion motions consultation consultations ward mandate encounter episode crypto konto court",
    "referral funds trade trades",
)

CJK_HIGH: Final = (
    "删除 刪除 移除 清空 转让 转移 撤回 拒绝 解散 解绑 解除 停用 禁用 卸载 安装 重启 回滚 回收站 管理员 密码 凭证",
    "发送 發送 发布 發佈 分享 邀请 执行 執行 运行 部署 购买 购物 下单 授权 撤销 重置",
    "合并",
    "パスワード 承認 却下 無効化 再起動 解除 破棄 クリアし 転送 退会 管理者 インストール 提出 取り下げ 削除 消去",
    "送信 公開 投稿 共有 招待 実行 購入 注文 デプロイ 権限 取り消 初期化 メール送 返信",
)
CJK_MEDIUM: Final = (
    "创建 創建 新建 更新 修改 编辑 添加 写入 上传 移动 设置 作成 更新 編集 追加 書き込 アップロード 変更 移動 設定",
)
CJK_READ: Final = ("获取 獲取 查询 查詢 搜索 列出 读取 查看 检索 预览 统计 確認 取得 検索 一覧 読み取 表示 参照 閲覧",)
CJK_VERTICAL: Final = (
    "支付 付款 转账 轉帳 汇款 退款 交易 买入 卖出 提现 签署 签名 合同 处方 病历 理赔 保险",
    "支払 送金 振込 返金 取引 出金 署名 契約 処方 診療 保険 請求",
)
