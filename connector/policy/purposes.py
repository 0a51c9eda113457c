"""The purposes of the W3C Data Privacy Vocabulary, each with the wider purposes it belongs to.

Source: DPV 2.3 (https://w3id.org/dpv, module ``purposes``), as facts: term and parents, nothing else.
A purpose may have several parents. DPV puts RightsFulfilment under a legal basis, which is no purpose;
here its parent is Purpose.

A purpose is named by its IRI, ``https://w3id.org/dpv#ScientificResearch``. Permission for a purpose
covers every narrower one; it never covers a wider one.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from connector.policy.hierarchy import closed, dpv_parents
from connector.policy.vocabulary import expand

_PARENTS: Final = """
AcademicResearch: ResearchAndDevelopment
AccountManagement: Purpose
Advertising: Marketing
AgeVerification: Verification
CombatClimateChange: PublicBenefit
CommercialPurpose: Purpose
CommercialResearch: CommercialPurpose ResearchAndDevelopment
CommunicationForCustomerCare: CommunicationManagement CustomerCare
CommunicationManagement: Purpose
CounterMoneyLaundering: FraudPreventionAndDetection
Counterterrorism: PublicBenefit
CustomerCare: CustomerManagement
CustomerClaimsManagement: CustomerManagement
CustomerManagement: Purpose
CustomerOrderManagement: CustomerManagement
CustomerRelationshipManagement: CustomerManagement
CustomerSolvencyMonitoring: CustomerManagement
DataAltruism: PublicBenefit
DeliveryOfGoods: RequestedServiceProvision
DirectMarketing: Marketing
DisputeManagement: OrganisationGovernance
EnforceAccessControl: EnforceSecurity
EnforceSecurity: Purpose
EstablishContractualAgreement: Purpose
FraudPreventionAndDetection: MisusePreventionAndDetection
FulfilmentOfContractualObligation: FulfilmentOfObligation
FulfilmentOfObligation: Purpose
HumanResourceManagement: Purpose
IdentityAuthentication: EnforceSecurity
IdentityVerification: Verification
ImproveExistingProductsAndServices: OptimisationForController
ImproveHealthcare: PublicBenefit
ImproveInternalCRMProcesses: CustomerRelationshipManagement OptimisationForController
ImprovePublicServices: PublicBenefit
ImproveTransportMobility: PublicBenefit
IncreaseServiceRobustness: OptimisationForController
InternalResourceOptimisation: OptimisationForController
LegalCompliance: FulfilmentOfObligation
MaintainFraudDatabase: FraudPreventionAndDetection
Marketing: Purpose
MemberPartnerManagement: OrganisationGovernance
MisusePreventionAndDetection: EnforceSecurity
NonCommercialPurpose: Purpose
NonCommercialResearch: NonCommercialPurpose ResearchAndDevelopment
OptimisationForConsumer: ServiceOptimisation
OptimisationForController: ServiceOptimisation
OptimiseUserInterface: OptimisationForConsumer
OrganisationComplianceManagement: OrganisationGovernance
OrganisationGovernance: Purpose
OrganisationRiskManagement: OrganisationGovernance
PaymentManagement: ServiceManagement
Personalisation: Purpose
PersonalisedAdvertising: Advertising Personalisation
PersonalisedBenefits: ServicePersonalisation
PersonnelBehaviourMonitoring: PersonnelMonitoring
PersonnelHiring: PersonnelManagement
PersonnelManagement: HumanResourceManagement
PersonnelMonitoring: PersonnelManagement
PersonnelOffboarding: PersonnelManagement
PersonnelOnboarding: PersonnelHiring
PersonnelPayment: PersonnelManagement
PersonnelPerformanceEvaluation: PersonnelPerformanceManagement
PersonnelPerformanceManagement: PersonnelManagement PersonnelMonitoring
PersonnelPerformanceMonitoring: PersonnelMonitoring PersonnelPerformanceManagement
PersonnelPerformancePrediction: PersonnelPerformanceManagement
PersonnelPromotionManagement: PersonnelManagement
PersonnelTerminationManagement: PersonnelManagement
PersonnelWorkloadManagement: PersonnelManagement
PoliticalCampaign: Advertising Personalisation
ProtectionOfIPR: FulfilmentOfObligation
ProtectionOfNationalSecurity: PublicBenefit
ProtectionOfPublicSecurity: PublicBenefit
ProvideEventRecommendations: ProvidePersonalisedRecommendations
ProvideOfficialStatistics: PublicBenefit
ProvidePersonalisedRecommendations: ServicePersonalisation
ProvideProductRecommendations: ProvidePersonalisedRecommendations
PublicBenefit: Purpose
PublicPolicyMaking: PublicBenefit
PublicRelations: Marketing
Purpose:
RecordManagement: Purpose
RecruitmentAdvertising: Advertising PersonnelHiring
RecruitmentApplicantBackgroundCheck: RecruitmentManagement
RecruitmentApplicantCriminalBackgroundCheck: RecruitmentManagement
RecruitmentApplicantInformationAuthentication: RecruitmentManagement
RecruitmentApplicantSelection: RecruitmentManagement
RecruitmentApplicationAnalysis: RecruitmentApplicationManagement
RecruitmentApplicationManagement: RecruitmentManagement
RecruitmentApplicationScreening: RecruitmentApplicationManagement
RecruitmentInterviewAnalysis: RecruitmentInterviewManagement
RecruitmentInterviewAssessment: RecruitmentInterviewManagement
RecruitmentInterviewManagement: RecruitmentManagement
RecruitmentInterviewScheduling: RecruitmentInterviewManagement
RecruitmentManagement: PersonnelHiring
RecruitmentTargetedAdvertising: RecruitmentAdvertising TargetedAdvertising
RepairImpairments: ServiceManagement
RequestedServiceProvision: ServiceProvision
ResearchAndDevelopment: Purpose
RightsFulfilment: Purpose
ScientificResearch: ResearchAndDevelopment
SearchFunctionalities: ServiceProvision
SellDataToThirdParties: SellProducts
SellInsightsFromData: SellProducts
SellProducts: ServiceProvision
SellProductsToDataSubject: SellProducts
ServiceAccessDetermination: ServiceManagement
ServiceManagement: Purpose
ServiceMonitoring: ServiceManagement
ServiceOptimisation: ServiceManagement
ServicePersonalisation: Personalisation ServiceManagement
ServiceProvision: ServiceManagement
ServiceRegistration: ServiceManagement
ServiceUsageAnalytics: ServiceMonitoring
SocialMediaMarketing: Marketing
TargetedAdvertising: PersonalisedAdvertising
TechnicalServiceProvision: ServiceProvision
UserInterfacePersonalisation: ServicePersonalisation
VendorManagement: Purpose
VendorPayment: VendorManagement
VendorRecordsManagement: VendorManagement
VendorSelectionAssessment: VendorManagement
Verification: EnforceSecurity
"""


def parents() -> dict[str, tuple[str, ...]]:
    """Each purpose's IRI and the IRIs of its parents; ``Purpose`` itself has none."""
    return dpv_parents(_PARENTS)


@cache
def closure() -> dict[str, frozenset[str]]:
    """Each purpose with itself and every purpose it belongs to, however far up."""
    return closed(parents())


def purpose_iri(text: str) -> str | None:
    """The purpose's IRI for an IRI or a ``dpv:`` name; None if DPV knows no such purpose."""
    iri = expand(text)
    return iri if iri in closure() else None


def is_within(asked: str, agreed: str) -> bool:
    """Whether ``asked`` is ``agreed`` or narrower. Both are IRIs."""
    return agreed in closure().get(asked, frozenset())
